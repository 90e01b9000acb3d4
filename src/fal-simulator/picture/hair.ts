import type { Build } from "./build.ts"
import type { Figure } from "./Figure.ts"
import { blob, darker, ellipse, lit, mirrored, mix, type Point } from "./shape.ts"

/** Hair greys from the middle of the thirties and is white at seventy. */
export const hairOf = ({ age, hair }: Figure) =>
  mix(hair, age > 60 ? "#e4e4e6" : "#b4b5ba", Math.min(0.95, Math.max(0, (age - 34) / 26)))

export const CENTRE = 104
export const HEIGHT = 44

/** What falls behind the shoulders. */
export const hairBehind = (figure: Figure, { face }: Build, facing: "front" | "right") => {
  if (figure.gender === "male") return ""
  const fill = lit(darker(hairOf(figure), 0.15))
  const long = figure.cut % 4 === 0 ? 232 : figure.cut % 4 === 1 ? 168 : 0
  if (facing === "front") {
    if (long > 0)
      return blob(
        mirrored([
          [0, 52],
          [face + 6, 70],
          [face + 13, 120],
          [face + (long > 200 ? 17 : 15), long - 20],
          [face * 0.5, long]
        ]),
        fill
      )
    return figure.cut % 4 === 2
      ? ellipse([0, 48], 21, 19, fill)
      : blob(
          [
            [face - 6, 70],
            [face + 17, 96],
            [face + 22, 168],
            [face + 6, 206],
            [face + 2, 130]
          ],
          fill
        )
  }
  if (long > 0)
    return blob(
      [
        [6, 52],
        [-face - 5, 74],
        [-face - 13, 122],
        [-face - 14, long - 14],
        [-face + 10, long],
        [-6, 150],
        [0, 90]
      ],
      fill
    )
  return figure.cut % 4 === 2
    ? ellipse([-face - 4, 72], 19, 19, fill)
    : blob(
        [
          [-face + 4, 72],
          [-face - 26, 92],
          [-face - 30, 160],
          [-face - 16, 206],
          [-face - 12, 130]
        ],
        fill
      )
}

export const neck = (figure: Figure, { face }: Build, facing: "front" | "right") => {
  const width = face * (figure.gender === "female" ? 0.42 : 0.56)
  const outline: ReadonlyArray<Point> =
    facing === "front"
      ? [
          [-width, 130],
          [width, 130],
          [width, 160],
          [width + 12, 184],
          [-width - 12, 184],
          [-width, 160]
        ]
      : [
          [-width - 5, 124],
          [width * 0.7, 138],
          [width * 0.6, 162],
          [width * 0.8, 182],
          [-width, 184],
          [-width - 4, 160]
        ]
  return blob(outline, lit(darker(figure.skin, 0.13)))
}
