import type { Build } from "./build.ts"
import type { Figure } from "./Figure.ts"
import { blob, darker, line, lit, mirrored, path } from "./shape.ts"

/** What cloth does around bent legs: a lap of skirt, or a coat over the edge of the stool. In place, not lowered. */
export const seatedLap = (figure: Figure, build: Build, { behind }: { readonly behind: boolean }): string => {
  const { seat, thigh } = build
  const { bottom, gender, style, top } = figure
  if (style === "editorial" && gender === "male") {
    return behind
      ? blob(
          [
            [-seat - 8, 500],
            [-6, 520],
            [30, 560],
            [2, 700],
            [-60, 716],
            [-seat - 38, 690],
            [-seat - 22, 590]
          ],
          lit(darker(top, 0.12))
        )
      : ""
  }
  if (behind) return ""
  if (style === "editorial") {
    return (
      blob(
        [
          [-seat - 2, 490],
          [10, 478],
          [100, 540 - thigh],
          [166, 532 - thigh * 0.5],
          [186, 580],
          [206, 726],
          [120, 742],
          [16, 736],
          [-30, 660],
          [-seat - 6, 566]
        ],
        lit(top)
      ) +
      [0, 1, 2, 3]
        .map((fold) =>
          line(
            [
              [70 + fold * 28, 548],
              [66 + fold * 36, 640],
              [50 + fold * 44, 730]
            ],
            darker(top, 0.34),
            2,
            0.45
          )
        )
        .join("")
    )
  }
  if (style === "professional" && gender === "female" && figure.cut % 2 === 0) {
    return blob(
      [
        [-seat - 2, 500],
        [4, 492],
        [70, 540 - thigh * 0.98],
        [136, 540 - thigh * 0.72],
        [146, 560],
        [120, 540 + thigh * 0.9],
        [20, 566],
        [-seat, 562]
      ],
      lit(bottom)
    )
  }
  return ""
}

export const bareChest = (figure: Figure, { chest, shoulder }: Build) =>
  blob(
    mirrored([
      [14, 166],
      [shoulder * 0.7, 178],
      [shoulder * 0.94, 194],
      [chest, 236],
      [0, 262]
    ]),
    lit(figure.skin)
  )
export const bareBack = (figure: Figure, { bust }: Build) =>
  path(`M-14 166L12 166L${bust * 0.8} 222L${-bust * 0.7} 236Z`, lit(figure.skin))
