/** A point; x grows to the right from the middle of the figure, y downwards from the top of the picture, of 600 by 800. */
export type Point = readonly [x: number, y: number]

const n = (value: number) => String(Math.round(value * 10) / 10)
const p = ([x, y]: Point) => `${n(x)} ${n(y)}`

const parts = (colour: string) => [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16))
export const mix = (from: string, to: string, amount: number) => {
  const target = parts(to)
  return `#${parts(from)
    .map((part, at) =>
      Math.round(part + ((target[at] ?? 0) - part) * amount)
        .toString(16)
        .padStart(2, "0")
    )
    .join("")}`
}
export const darker = (colour: string, amount = 0.2) => mix(colour, "#0b0b14", amount)
export const lighter = (colour: string, amount = 0.2) => mix(colour, "#ffffff", amount)

const gradientOf = (colour: string) => `g${colour.slice(1)}`
/** Cloth and skin are a little lighter where the studio's lamp stands, on the left. */
export const lit = (colour: string) => `url(#${gradientOf(colour)})`
/** The gradients that a drawing uses. */
export const gradients = (drawing: string) =>
  [...new Set(drawing.match(/url\(#g[0-9a-f]{6}\)/g))]
    .map((use) => {
      const colour = `#${use.slice(6, 12)}`
      return (
        `<linearGradient id="${gradientOf(colour)}" x1="0" y1="0" x2="1" y2="0.25"><stop offset="0" stop-color="${lighter(colour, 0.1)}"/>` +
        `<stop offset="0.55" stop-color="${colour}"/><stop offset="1" stop-color="${darker(colour, 0.22)}"/></linearGradient>`
      )
    })
    .join("")

export const path = (d: string, fill: string, more = "") => `<path d="${d}" fill="${fill}" ${more}/>`
export const line = (points: ReadonlyArray<Point>, colour: string, width = 2, opacity = 1) =>
  `<path d="${open(points)}" fill="none" stroke="${colour}" stroke-width="${n(width)}" stroke-linecap="round" stroke-linejoin="round" opacity="${opacity}"/>`
export const polygon = (points: ReadonlyArray<Point>, fill: string) => path(`M${points.map(p).join("L")}Z`, fill)
export const ellipse = ([x, y]: Point, rx: number, ry: number, fill: string, more = "") =>
  `<ellipse cx="${n(x)}" cy="${n(y)}" rx="${n(rx)}" ry="${n(ry)}" fill="${fill}" ${more}/>`

/** A curve through the points (Catmull-Rom). */
const through = (points: ReadonlyArray<Point>, at: (index: number) => Point) =>
  points
    .slice(0, -1)
    .map((_, i) => {
      const [a, b, c, d] = [at(i - 1), at(i), at(i + 1), at(i + 2)]
      return `C${p([b[0] + (c[0] - a[0]) / 6, b[1] + (c[1] - a[1]) / 6])} ${p([c[0] - (d[0] - b[0]) / 6, c[1] - (d[1] - b[1]) / 6])} ${p(c)}`
    })
    .join("")

const open = (points: ReadonlyArray<Point>) => {
  const at = (index: number) => points[Math.min(Math.max(index, 0), points.length - 1)]!
  return `M${p(at(0))}${through(points, at)}`
}
export const blob = (points: ReadonlyArray<Point>, fill: string, more = "") => {
  const at = (index: number) => points[(index + points.length) % points.length]!
  return path(`M${p(at(0))}${through([...points, at(0)], at)}Z`, fill, more)
}
/** The right half of something seen from the front, and its mirror image, from the top round to the top. */
export const mirrored = (right: ReadonlyArray<Point>): ReadonlyArray<Point> => [
  ...right,
  ...right.toReversed().map(([x, y]): Point => [-x, y])
]

/** A limb: round at both ends, as thick there as said. */
export const limb = (a: Point, ra: number, b: Point, rb: number, fill: string) => {
  const length = Math.hypot(b[0] - a[0], b[1] - a[1]) || 1
  const [nx, ny] = [(b[1] - a[1]) / length, -(b[0] - a[0]) / length]
  return path(
    `M${p([a[0] + nx * ra, a[1] + ny * ra])}L${p([b[0] + nx * rb, b[1] + ny * rb])}A${n(rb)} ${n(rb)} 0 0 1 ${p([b[0] - nx * rb, b[1] - ny * rb])}` +
      `L${p([a[0] - nx * ra, a[1] - ny * ra])}A${n(ra)} ${n(ra)} 0 0 1 ${p([a[0] + nx * ra, a[1] + ny * ra])}Z`,
    fill
  )
}
/** A limb cut straight at both ends, as trousers are at the hem. */
export const tube = (a: Point, ra: number, b: Point, rb: number, fill: string) => {
  const length = Math.hypot(b[0] - a[0], b[1] - a[1]) || 1
  const [nx, ny] = [(b[1] - a[1]) / length, -(b[0] - a[0]) / length]
  const corner = ([x, y]: Point, r: number): Point => [x + nx * r, y + ny * r]
  return polygon([corner(a, ra), corner(b, rb), corner(b, -rb), corner(a, -ra)], fill)
}
export const between = (a: Point, b: Point, share: number): Point => [a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share]
