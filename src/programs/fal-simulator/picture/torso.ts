import type { Build } from "./build.ts"
import type { Figure } from "./Figure.ts"
import { blob, darker, ellipse, lighter, line, lit, mirrored, path, type Point, polygon } from "./shape.ts"

const bodice = ({ chest, hip, shoulder, waist }: Build, hem: number, roomier = 0): ReadonlyArray<Point> => {
  const points: Array<Point> = [
    [14, 168],
    [shoulder * 0.62, 177],
    [shoulder * 0.96, 192],
    [chest + 4 + roomier, 246],
    [waist + roomier, 318]
  ]
  if (hem > 340) points.push([hip + roomier, Math.min(388, hem - 8)])
  return hem > 410 ? [...points, [hip + roomier + 2, hem], [0, hem + 2]] : [...points, [hip * 0.7, hem], [0, hem + 2]]
}

/** From the front, in an upright body's place. */
export const front = (figure: Figure, build: Build): string => {
  const { accent, bottom, gender, skin, style, top } = figure
  const { chest, hip, shoulder, waist } = build
  const female = gender === "female"
  const bust = female
    ? line(
        [
          [-chest * 0.78, 262],
          [-chest * 0.4, 272],
          [-4, 262]
        ],
        darker(top, 0.3),
        1.6,
        0.5
      ) +
      line(
        [
          [4, 262],
          [chest * 0.4, 272],
          [chest * 0.78, 262]
        ],
        darker(top, 0.3),
        1.6,
        0.5
      )
    : ""
  const seat = blob(
    mirrored([
      [0, 338],
      [waist, 340],
      [hip, 390],
      [hip * 0.96, 430],
      [4, 432]
    ]),
    lit(bottom)
  )
  switch (style) {
    case "casual":
      return (
        seat +
        blob(mirrored(bodice(build, 398, 3)), lit(top)) +
        bust +
        ellipse([0, 170], female ? 21 : 17, female ? 17 : 10, lit(darker(skin, 0.06))) +
        line(
          [
            [-19, 172],
            [0, female ? 189 : 182],
            [19, 172]
          ],
          darker(top, 0.16),
          3
        ) +
        line(
          [
            [waist * 0.9, 326],
            [waist * 0.5, 338]
          ],
          darker(top, 0.25),
          1.6,
          0.6
        ) +
        line(
          [
            [-waist * 0.9, 350],
            [-waist * 0.55, 344]
          ],
          darker(top, 0.25),
          1.6,
          0.5
        ) +
        line(
          [
            [-hip * 0.8, 408],
            [-hip * 0.5, 416],
            [-hip * 0.3, 404]
          ],
          lighter(bottom, 0.2),
          1.6
        ) +
        line(
          [
            [hip * 0.8, 408],
            [hip * 0.5, 416],
            [hip * 0.3, 404]
          ],
          lighter(bottom, 0.2),
          1.6
        ) +
        line(
          [
            [0, 402],
            [0, 440]
          ],
          darker(bottom, 0.3),
          1.6
        )
      )
    case "professional": {
      const skirt = female && figure.cut % 2 === 0
      const lower = skirt
        ? blob(
            mirrored([
              [0, 338],
              [waist, 340],
              [hip + 3, 396],
              [hip + 1, 470],
              [hip * 0.84, 556],
              [0, 560]
            ]),
            lit(bottom)
          )
        : seat
      const gap = female ? 13 : 21
      const shirt = polygon(
        [
          [-21, 164],
          [21, 164],
          [4, 322],
          [-4, 322]
        ],
        "#fafaf7"
      )
      const tie = female
        ? polygon(
            [
              [-8, 164],
              [8, 164],
              [0, 205]
            ],
            lit(skin)
          )
        : polygon(
            [
              [-7, 176],
              [7, 176],
              [4, 192],
              [9, 296],
              [0, 312],
              [-9, 296],
              [-4, 192]
            ],
            lit(accent)
          )
      const lapel = (sign: number) =>
        polygon(
          [
            [sign * 17, 163],
            [sign * 36, 176],
            [sign * (gap + 21), 222],
            [sign * (gap + 9), 230],
            [0, 322]
          ],
          darker(top, 0.14)
        ) +
        line(
          [
            [sign * 17, 164],
            [sign * (gap - 2), 215],
            [0, 322]
          ],
          darker(top, 0.4),
          1.4
        )
      const collar =
        polygon(
          [
            [-17, 160],
            [0, 178],
            [-9, 194],
            [-24, 168]
          ],
          "#ffffff"
        ) +
        polygon(
          [
            [17, 160],
            [0, 178],
            [9, 194],
            [24, 168]
          ],
          "#eceef0"
        )
      return (
        lower +
        blob(mirrored(bodice(build, female ? 414 : 430, 5)), lit(top)) +
        shirt +
        tie +
        (female ? "" : collar) +
        lapel(-1) +
        lapel(1) +
        line(
          [
            [0, 322],
            [0, female ? 414 : 430]
          ],
          darker(top, 0.4),
          1.6
        ) +
        ellipse([4, 334], 2.8, 2.8, darker(top, 0.5)) +
        (female ? "" : ellipse([4, 362], 2.8, 2.8, darker(top, 0.5))) +
        polygon(
          [
            [chest * 0.42, 246],
            [chest * 0.72, 244],
            [chest * 0.72, 249],
            [chest * 0.42, 251]
          ],
          female ? accent : "#fafaf7"
        ) +
        line(
          [
            [hip * 0.42, 382],
            [hip * 0.86, 378]
          ],
          darker(top, 0.35),
          2
        ) +
        line(
          [
            [-hip * 0.42, 382],
            [-hip * 0.86, 378]
          ],
          darker(top, 0.35),
          2
        )
      )
    }
    case "editorial":
      if (female) {
        const flare = Math.max(hip * 2.1, hip + 66)
        const folds = [-0.72, -0.36, 0.05, 0.42, 0.76]
          .map((share) =>
            line(
              [
                [share * waist * 0.8, 344],
                [share * hip * 1.25, 520],
                [share * flare, 726]
              ],
              darker(top, 0.34),
              2,
              0.45
            )
          )
          .join("")
        return (
          blob(
            mirrored([
              [0, 318],
              [waist, 322],
              [hip + 5, 384],
              [hip * 1.28, 520],
              [flare, 716],
              [flare * 0.8, 740],
              [flare * 0.4, 734],
              [0, 743]
            ]),
            lit(top)
          ) +
          folds +
          blob(
            [
              [-shoulder * 0.9, 186],
              [-shoulder * 0.6, 178],
              [-8, 222],
              [chest * 0.6, 226],
              [chest + 2, 248],
              [waist + 1, 322],
              [0, 332],
              [-waist - 1, 322],
              [-chest - 2, 246]
            ],
            lit(top)
          ) +
          bust +
          blob(
            [
              [-shoulder * 0.95, 196],
              [-shoulder * 1.25, 160],
              [-shoulder * 0.8, 150],
              [-shoulder * 0.42, 168],
              [-shoulder * 0.3, 200]
            ],
            lit(lighter(top, 0.12))
          ) +
          polygon(
            [
              [-waist - 1, 316],
              [waist + 1, 316],
              [waist + 2, 332],
              [-waist - 2, 332]
            ],
            accent
          ) +
          line(
            [
              [-22, 184],
              [0, 200],
              [22, 184]
            ],
            accent,
            3
          )
        )
      }
      return (
        seat +
        blob(
          mirrored([
            [10, 146],
            [18, 168],
            [chest * 0.7, 190],
            [chest * 0.8, 300],
            [waist * 0.9, 400],
            [0, 404]
          ]),
          lit("#1a191f")
        ) +
        line(
          [
            [-15, 158],
            [15, 158]
          ],
          "#3a3942",
          2
        ) +
        polygon(
          [
            [-waist, 372],
            [waist, 372],
            [waist, 382],
            [-waist, 382]
          ],
          accent
        ) +
        [-1, 1]
          .map((sign) => {
            const x = (value: number) => sign * value
            const hem = Math.max(hip + 40, shoulder + 12)
            return (
              blob(
                [
                  [x(20), 162],
                  [x(shoulder * 0.7), 174],
                  [x(shoulder + 4), 196],
                  [x(chest + 12), 260],
                  [x(waist + 16), 340],
                  [x(hip + 16), 430],
                  [x(hem), 642],
                  [x(hem * 0.55), 656],
                  [x(26), 648],
                  [x(22), 420],
                  [x(19), 300]
                ],
                lit(top)
              ) +
              polygon(
                [
                  [x(12), 150],
                  [x(44), 158],
                  [x(58), 236],
                  [x(28), 224],
                  [x(22), 330]
                ],
                lit(lighter(top, 0.14))
              ) +
              line(
                [
                  [x(22), 330],
                  [x(23), 460],
                  [x(27), 646]
                ],
                darker(top, 0.4),
                1.6
              )
            )
          })
          .join("")
      )
  }
}

/** Seen from the right side, the front of the body towards greater x. `seated` has no room for a hem below the seat. */
export const side = (figure: Figure, build: Build, seated: boolean): string => {
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
