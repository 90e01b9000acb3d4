import type { Build } from "./build.ts"
import type { Figure } from "./Figure.ts"
import { blob, darker, lighter, line, lit, type Point, polygon } from "./shape.ts"

/** Seen from the right side, the front of the body towards greater x. `seated` has no room for a hem below the seat. */
export const torsoSide = (figure: Figure, build: Build, seated: boolean): string => {
  const { accent, bottom, gender, style, top } = figure
  const { belly, bust, seat } = build
  const female = gender === "female"
  const shape = (hem: number, roomier: number): ReadonlyArray<Point> => [
    [-14, 168],
    [12, 168],
    [bust * 0.62, 205],
    [bust + roomier, 246],
    [belly + (female ? 2 : 5) + roomier, 318],
    [belly + 5 + roomier, 374],
    [belly + 4 + roomier, hem],
    [-seat - roomier, hem],
    [-seat * 0.98 - roomier, 388],
    [-belly * 0.74 - roomier, 318],
    [-bust * 0.82, 232],
    [-bust * 0.62, 190]
  ]
  const pelvis = blob(
    [
      [-belly * 0.74, 340],
      [belly + 4, 344],
      [belly + 6, 392],
      [build.thigh * 0.9, 432],
      [-build.thigh * 0.9, 434],
      [-seat - 2, 396]
    ],
    lit(bottom)
  )
  switch (style) {
    case "casual":
      return (
        pelvis +
        blob(shape(396, 2), lit(top)) +
        line(
          [
            [-13, 176],
            [2, 186],
            [15, 174]
          ],
          darker(top, 0.16),
          3
        ) +
        line(
          [
            [bust * 0.4, 262],
            [bust * 0.9, 268]
          ],
          darker(top, 0.3),
          1.6,
          female ? 0.5 : 0
        )
      )
    case "professional": {
      const skirt = female && figure.cut % 2 === 0 && !seated
      const lower = skirt
        ? blob(
            [
              [-belly * 0.74, 340],
              [belly + 4, 344],
              [belly + 9, 400],
              [belly + 4, 480],
              [24, 556],
              [-26, 558],
              [-seat + 4, 480],
              [-seat - 3, 396]
            ],
            lit(bottom)
          )
        : pelvis
      return (
        lower +
        blob(shape(seated ? 402 : female ? 412 : 428, 4), lit(top)) +
        polygon(
          [
            [4, 162],
            [19, 168],
            [bust * 0.9, 228],
            [bust * 0.98, 270]
          ],
          "#fafaf7"
        ) +
        (female
          ? ""
          : polygon(
              [
                [13, 174],
                [20, 178],
                [bust + 2, 244],
                [bust + 2, 282],
                [bust * 0.8, 236]
              ],
              accent
            )) +
        polygon(
          [
            [-2, 162],
            [9, 164],
            [bust * 0.62, 226],
            [bust * 0.42, 232],
            [bust, 312]
          ],
          darker(top, 0.15)
        ) +
        line(
          [
            [9, 164],
            [bust * 0.66, 226],
            [bust + 2, 314]
          ],
          darker(top, 0.4),
          1.4
        ) +
        line(
          [
            [belly * 0.2, 384],
            [belly * 0.9, 380]
          ],
          darker(top, 0.35),
          2
        )
      )
    }
    case "editorial":
      if (female) {
        const skirt = seated
          ? ""
          : blob(
              [
                [-belly * 0.7, 318],
                [belly + 4, 320],
                [belly + 10, 384],
                [belly + 26, 540],
                [belly + 58, 720],
                [20, 738],
                [-60, 734],
                [-seat - 112, 742],
                [-seat - 70, 640],
                [-seat - 26, 500],
                [-seat - 5, 392]
              ],
              lit(top)
            ) +
            [-0.9, -0.35, 0.15, 0.6]
              .map((share) =>
                line(
                  [
                    [share * belly, 344],
                    [share * 62 - 4, 520],
                    [share * 108 - 16, 726]
                  ],
                  darker(top, 0.34),
                  2,
                  0.45
                )
              )
              .join("")
        return (
          skirt +
          blob(
            [
              [-bust * 0.7, 206],
              [-4, 178],
              [14, 182],
              [bust * 0.8, 218],
              [bust + 1, 248],
              [belly + 4, 322],
              [belly + 5, seated ? 388 : 334],
              [-seat, seated ? 392 : 340],
              [-belly * 0.72, 320],
              [-bust * 0.8, 240]
            ],
            lit(top)
          ) +
          blob(
            [
              [-20, 196],
              [-28, 160],
              [-2, 148],
              [20, 166],
              [14, 200]
            ],
            lit(lighter(top, 0.12))
          ) +
          polygon(
            [
              [-belly * 0.78, 314],
              [belly + 5, 316],
              [belly + 5, 332],
              [-belly * 0.8, 330]
            ],
            accent
          )
        )
      }
      return (
        pelvis +
        blob(
          [
            [-10, 148],
            [14, 148],
            [18, 170],
            [bust * 0.8, 210],
            [bust + 1, 250],
            [belly + 6, 330],
            [belly + 6, 396],
            [-belly, 396],
            [-bust * 0.6, 250]
          ],
          lit("#1a191f")
        ) +
        line(
          [
            [-8, 160],
            [15, 160]
          ],
          "#3a3942",
          2
        ) +
        blob(
          [
            [-16, 160],
            [8, 164],
            [bust * 0.66, 240],
            [belly * 0.66, 330],
            [belly * 0.7, seated ? 392 : 460],
            ...(seated
              ? ([[0, 404]] satisfies Array<Point>)
              : ([
                  [34, 640],
                  [-20, 654],
                  [-seat - 52, 648],
                  [-seat - 22, 500]
                ] satisfies Array<Point>)),
            [-seat - 12, 392],
            [-belly - 8, 310],
            [-bust * 0.98, 236],
            [-bust * 0.72, 186]
          ],
          lit(top)
        ) +
        polygon(
          [
            [-16, 146],
            [14, 160],
            [bust * 0.84, 236],
            [bust * 0.4, 226],
            [belly * 0.66, 330]
          ],
          lit(lighter(top, 0.14))
        )
      )
  }
}
