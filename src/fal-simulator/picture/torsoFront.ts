import type { Build } from "./build.ts"
import type { Figure } from "./Figure.ts"
import { blob, darker, ellipse, lighter, line, lit, mirrored, type Point, polygon } from "./shape.ts"

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
export const torsoFront = (figure: Figure, build: Build): string => {
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
