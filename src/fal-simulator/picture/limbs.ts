import type { Build, Limb, Pose } from "./build.ts"
import type { Figure } from "./Figure.ts"
import { between, blob, darker, ellipse, limb, line, lit, mix, type Point, polygon, tube } from "./shape.ts"

/** `far` limbs lie in the shade of the body. */
const tone = (colour: string, far: boolean) => lit(far ? darker(colour, 0.16) : colour)

export const arm = (figure: Figure, build: Build, { end, joint, root }: Limb, far: boolean) => {
  const { arm: width } = build
  const skin = tone(figure.skin, far)
  const cloth = tone(figure.top, far)
  const hand = between(joint, end, 1.14)
  const bare = limb(root, width, joint, width * 0.78, skin) + limb(joint, width * 0.78, end, width * 0.52, skin)
  const palm =
    limb(end, width * 0.52, hand, width * 0.5, skin) +
    ellipse(between(end, hand, 0.7), width * 0.66 + 1.5, width * 0.7 + 2.5, skin)
  const sleeved = (sleeve: string, roomier: number) =>
    palm +
    limb(root, width * 1.08 + roomier, joint, width * 0.92 + roomier, sleeve) +
    limb(joint, width * 0.92 + roomier, between(joint, end, 0.97), width * 0.72 + roomier, sleeve)
  if (figure.style === "professional") {
    const cuff = limb(between(joint, end, 0.95), width * 0.66, between(joint, end, 1.02), width * 0.64, tone("#f5f5f2", far))
    return palm + cuff + sleeved(cloth, 2).slice(palm.length)
  }
  if (figure.style === "casual")
    return bare + palm + limb(root, width * 1.12 + 1, between(root, joint, 0.62), width * 1.1 + 3, cloth)
  if (figure.gender === "male") return sleeved(cloth, 4)
  const bangle = line(
    [
      [end[0] - width * 0.7, end[1] - 6],
      [end[0] + width * 0.7, end[1] - 4]
    ],
    figure.accent,
    4
  )
  return bare + palm + bangle
}

const heeled = ({ gender, style }: Figure) => gender === "female" && style !== "casual"

const shoe = (figure: Figure, ankle: Point, facing: Pose["facing"], outward: number, far: boolean) => {
  const [x, y] = ankle
  const sole = y + 30
  if (facing === "front") {
    if (heeled(figure)) {
      return blob(
        [
          [x - 9, y + 6],
          [x + 9, y + 6],
          [x + 11 + outward * 2, sole + 2],
          [x + outward * 4, sole + 8],
          [x - 11 + outward * 2, sole + 2]
        ],
        tone(figure.style === "editorial" ? figure.accent : "#22222a", far)
      )
    }
    const colour = figure.style === "casual" ? "#f4f4f1" : "#241f1d"
    const shape = blob(
      [
        [x - 12, y + 2],
        [x + 12, y + 2],
        [x + 15 + outward * 4, sole],
        [x + outward * 6, sole + 6],
        [x - 15 + outward * 4, sole]
      ],
      tone(colour, far)
    )
    return (
      shape +
      (figure.style === "casual"
        ? line(
            [
              [x - 13 + outward * 4, sole + 3],
              [x + outward * 6, sole + 6],
              [x + 13 + outward * 4, sole + 3]
            ],
            "#b9bcc2",
            3
          ) +
          line(
            [
              [x - 6, y + 12],
              [x + 6, y + 14]
            ],
            figure.accent,
            2.5
          )
        : "")
    )
  }
  if (heeled(figure)) {
    const colour = figure.style === "editorial" ? figure.accent : "#22222a"
    return (
      blob(
        [
          [x - 14, y + 8],
          [x + 4, y + 8],
          [x + 26, sole - 2],
          [x + 44, sole + 2],
          [x + 40, sole + 6],
          [x + 14, sole + 5],
          [x - 6, sole - 10],
          [x - 14, sole - 10]
        ],
        tone(colour, far)
      ) +
      polygon(
        [
          [x - 15, y + 16],
          [x - 7, y + 16],
          [x - 11, sole + 6],
          [x - 14, sole + 6]
        ],
        colour
      )
    )
  }
  const colour = figure.style === "casual" ? "#f4f4f1" : "#241f1d"
  return (
    blob(
      [
        [x - 17, y + 2],
        [x + 11, y + 2],
        [x + 24, y + 16],
        [x + 46, y + 21],
        [x + 50, sole + 3],
        [x + 44, sole + 6],
        [x - 14, sole + 6],
        [x - 19, sole]
      ],
      tone(colour, far)
    ) +
    line(
      [
        [x - 15, sole + 5],
        [x + 46, sole + 5]
      ],
      figure.style === "casual" ? "#b9bcc2" : "#0f0d0c",
      4
    )
  )
}

export const leg = (figure: Figure, build: Build, { end, joint, root }: Limb, facing: Pose["facing"], far: boolean) => {
  const { calf, thigh } = build
  const outward = facing === "front" ? Math.sign(root[0]) : 1
  const feet = shoe(figure, end, facing, outward, far)
  const skirted = figure.gender === "female" && figure.style === "professional" && figure.cut % 2 === 0
  if (skirted || (figure.gender === "female" && figure.style === "editorial")) {
    const skin = tone(mix(figure.skin, "#4a3a3a", skirted ? 0.12 : 0), far)
    return (
      limb(root, thigh, joint, calf * 1.06, skin) +
      limb(joint, calf * 1.06, between(joint, end, 0.3), calf, skin) +
      limb(between(joint, end, 0.3), calf, [end[0], end[1] + 8], 8.5, skin) +
      feet
    )
  }
  const cloth = tone(figure.bottom, far)
  const straight = figure.style === "professional" ? 1.02 : figure.style === "editorial" ? 1.2 : 0.94
  const hem = between(joint, end, 1.07)
  const trousers =
    limb(root, thigh, joint, calf * 1.12, cloth) +
    limb(joint, calf * 1.12, between(joint, end, 0.4), calf * 1.04, cloth) +
    tube(between(joint, end, 0.4), calf * 1.04, hem, calf * 0.84 * straight, cloth)
  const details =
    figure.style === "professional"
      ? line([between(root, joint, 0.3), joint, hem], darker(figure.bottom, 0.25), 1.2, 0.7)
      : figure.style === "casual"
        ? tube(between(joint, end, 1.01), calf * 0.9, hem, calf * 0.9, tone(mix(figure.bottom, "#ffffff", 0.25), far)) +
          line([between(root, joint, 0.5), joint, between(joint, end, 0.6)], mix(figure.bottom, "#ffffff", 0.3), calf * 0.5, 0.12)
        : ""
  return feet + trousers + details
}
