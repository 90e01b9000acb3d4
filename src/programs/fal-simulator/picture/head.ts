import type { Build } from "./build.ts"
import type { Figure } from "./Figure.ts"
import { blob, darker, ellipse, line, lit, mirrored, mix, path, type Point } from "./shape.ts"

/** Hair greys from the middle of the thirties and is white at seventy. */
export const hairOf = ({ age, hair }: Figure) =>
  mix(hair, age > 60 ? "#e4e4e6" : "#b4b5ba", Math.min(0.95, Math.max(0, (age - 34) / 26)))

const CENTRE = 104
const HEIGHT = 44

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

const front = (figure: Figure, build: Build) => {
  const { face } = build
  const { age, gender, skin } = figure
  const hair = hairOf(figure)
  const shade = darker(skin, 0.28)
  const female = gender === "female"
  const jaw = female ? 0.6 : 0.78
  const parts = [
    ellipse([-face, CENTRE + 6], 6, 10, skin),
    ellipse([face, CENTRE + 6], 6, 10, darker(skin, 0.12)),
    blob(
      mirrored([
        [0, CENTRE - HEIGHT],
        [face * 0.8, CENTRE - 34],
        [face, CENTRE - 2],
        [face * 0.93, CENTRE + 18],
        [face * jaw, CENTRE + 36],
        [face * 0.25, CENTRE + 46]
      ]),
      lit(skin)
    )
  ]
  for (const sign of [-1, 1]) {
    const eye: Point = [sign * face * 0.42, CENTRE + 3]
    parts.push(
      ellipse(eye, 5.2, 3.2, "#fbfaf7"),
      ellipse(eye, 2.7, 3, "#33241c"),
      line(
        [
          [eye[0] - 6, eye[1] - 2],
          [eye[0], eye[1] - 4.4],
          [eye[0] + 6, eye[1] - 2]
        ],
        "#2a1c18",
        female ? 2.4 : 1.6
      ),
      line(
        [
          [eye[0] - 7, eye[1] - 10],
          [eye[0], eye[1] - 13],
          [eye[0] + 7, eye[1] - 10]
        ],
        mix(darker(hair, 0.3), skin, 0.1),
        female ? 2.4 : 3.6
      )
    )
    if (age >= 38)
      parts.push(
        line(
          [
            [sign * face * 0.3, CENTRE + 18],
            [sign * face * 0.48, CENTRE + 30]
          ],
          shade,
          1.5,
          Math.min(0.9, (age - 30) / 30)
        )
      )
    if (age >= 50)
      parts.push(
        line(
          [
            [sign * face * 0.66, CENTRE + 3],
            [sign * face * 0.84, CENTRE]
          ],
          shade,
          1.2,
          0.7
        ),
        line(
          [
            [sign * face * 0.3, CENTRE + 11],
            [sign * face * 0.55, CENTRE + 11]
          ],
          shade,
          1.2,
          0.6
        )
      )
  }
  if (age >= 55)
    parts.push(
      line(
        [
          [-13, CENTRE - 20],
          [13, CENTRE - 20]
        ],
        shade,
        1.2,
        0.6
      )
    )
  parts.push(
    line(
      [
        [1, CENTRE + 6],
        [4, CENTRE + 17],
        [-2, CENTRE + 18]
      ],
      shade,
      1.7,
      0.8
    ),
    female
      ? path(
          `M-10 ${CENTRE + 29}Q-4 ${CENTRE + 25} 0 ${CENTRE + 27}Q4 ${CENTRE + 25} 10 ${CENTRE + 29}Q0 ${CENTRE + 38} -10 ${CENTRE + 29}Z`,
          mix("#b23a48", skin, figure.style === "editorial" ? 0 : 0.3)
        )
      : line(
          [
            [-9, CENTRE + 30],
            [0, CENTRE + 32],
            [9, CENTRE + 30]
          ],
          mix("#8a4a42", skin, 0.2),
          2.6
        )
  )
  const bearded = !female && figure.cut % 2 === 1
  if (bearded) {
    parts.push(
      path(
        `M${-face + 1} ${CENTRE + 8}C${-face + 2} ${CENTRE + 56} ${face - 2} ${CENTRE + 56} ${face - 1} ${CENTRE + 8}C${face - 6} ${CENTRE + 26} 14 ${CENTRE + 21} 0 ${CENTRE + 22}C-14 ${CENTRE + 21} ${-face + 6} ${CENTRE + 26} ${-face + 1} ${CENTRE + 8}ZM-10 ${CENTRE + 30}Q0 ${CENTRE + 26} 10 ${CENTRE + 30}Q0 ${CENTRE + 37} -10 ${CENTRE + 30}Z`,
        hair,
        'fill-rule="evenodd" opacity="0.92"'
      )
    )
  }
  const bald = !female && age >= 48
  const line0 = bald ? CENTRE - 36 : CENTRE - 24
  parts.push(
    female
      ? figure.cut % 2 === 0
        ? path(
            `M0 ${CENTRE - 50}C${face + 14} ${CENTRE - 54} ${face + 12} ${CENTRE - 6} ${face + 5} ${CENTRE + 22}C${face} ${CENTRE - 8} ${face * 0.6} ${CENTRE - 22} 0 ${CENTRE - 32}C${-face * 0.6} ${CENTRE - 22} ${-face} ${CENTRE - 8} ${-face - 5} ${CENTRE + 22}C${-face - 12} ${CENTRE - 6} ${-face - 14} ${CENTRE - 54} 0 ${CENTRE - 50}Z`,
            lit(hair)
          )
        : path(
            `M6 ${CENTRE - 50}C${face + 14} ${CENTRE - 52} ${face + 12} ${CENTRE - 8} ${face + 4} ${CENTRE + 18}C${face} ${CENTRE - 8} ${face * 0.3} ${CENTRE - 16} ${-face * 0.55} ${CENTRE - 30}C${-face} ${CENTRE - 18} ${-face} ${CENTRE - 6} ${-face - 4} ${CENTRE + 18}C${-face - 12} ${CENTRE - 8} ${-face - 12} ${CENTRE - 50} 6 ${CENTRE - 50}Z`,
            lit(hair)
          )
      : path(
          `M${-face - 3} ${CENTRE + 4}C${-face - 9} ${CENTRE - 34} ${-face * 0.6} ${CENTRE - 58} 0 ${CENTRE - (bald ? 49 : 57)}C${face * 0.6} ${CENTRE - 58} ${face + 9} ${CENTRE - 34} ${face + 3} ${CENTRE + 4}C${face - 1} ${CENTRE - 10} ${face - 2} ${line0} ${face * 0.55} ${line0}C${face * 0.2} ${line0 - (bald ? 6 : 2)} ${-face * 0.4} ${line0 - (figure.cut > 1 ? 8 : 0)} ${-face * 0.6} ${line0 + 2}C${-face + 2} ${CENTRE - 20} ${-face + 1} ${CENTRE - 10} ${-face - 3} ${CENTRE + 4}Z`,
          lit(hair)
        )
  )
  // Grey comes at the temples first.
  if (!female && age >= 36 && age < 60) {
    for (const sign of [-1, 1])
      parts.push(
        line(
          [
            [sign * (face - 1), CENTRE - 22],
            [sign * (face + 1), CENTRE - 4]
          ],
          "#dcdde0",
          4.5,
          0.75
        )
      )
  }
  if (female && figure.style !== "casual")
    for (const sign of [-1, 1])
      parts.push(ellipse([sign * (face + 2), CENTRE + 21], 3, figure.style === "editorial" ? 8 : 3, figure.accent))
  return parts.join("")
}

const profile = (figure: Figure, build: Build) => {
  const { face } = build
  const { age, gender, skin } = figure
  const hair = hairOf(figure)
  const shade = darker(skin, 0.28)
  const female = gender === "female"
  const f = face * 0.96
  const parts = [
    path(
      `M${-f} ${CENTRE - 8}C${-f} ${CENTRE - 48} ${f * 0.7} ${CENTRE - 52} ${f * 0.93} ${CENTRE - 20}C${f * 0.98} ${CENTRE - 8} ${f * 0.9} ${CENTRE - 5} ${f + 1} ${CENTRE + 5}L${f + 11} ${CENTRE + 15}Q${f + 10} ${CENTRE + 20} ${f} ${CENTRE + 20}L${f + 3} ${CENTRE + 26}Q${f + 4} ${CENTRE + 30} ${f - 1} ${CENTRE + 31}Q${f + 3} ${CENTRE + 34} ${f - 2} ${CENTRE + 38}Q${f - 1} ${CENTRE + 48} ${f - 14} ${CENTRE + (female ? 46 : 49)}C${f * 0.1} ${CENTRE + 44} ${-f * 0.2} ${CENTRE + 34} ${-f * 0.35} ${CENTRE + 26}C${-f} ${CENTRE + 30} ${-f} ${CENTRE + 4} ${-f} ${CENTRE - 8}Z`,
      lit(skin)
    ),
    ellipse([f * 0.68, CENTRE + 2], 4, 3.2, "#fbfaf7"),
    ellipse([f * 0.72, CENTRE + 2], 2.5, 3, "#33241c"),
    line(
      [
        [f * 0.5, CENTRE - 1],
        [f * 0.7, CENTRE - 2.6],
        [f * 0.88, CENTRE]
      ],
      "#2a1c18",
      female ? 2.4 : 1.6
    ),
    line(
      [
        [f * 0.5, CENTRE - 9],
        [f * 0.74, CENTRE - 12],
        [f * 0.92, CENTRE - 9]
      ],
      darker(hair, 0.3),
      female ? 2.4 : 3.6
    ),
    line(
      [
        [f * 0.66, CENTRE + 30],
        [f - 1, CENTRE + 30]
      ],
      female ? mix("#b23a48", skin, 0.2) : mix("#8a4a42", skin, 0.2),
      female ? 3.6 : 2.4
    )
  ]
  if (age >= 38)
    parts.push(
      line(
        [
          [f * 0.66, CENTRE + 18],
          [f * 0.55, CENTRE + 29]
        ],
        shade,
        1.5,
        Math.min(0.9, (age - 30) / 30)
      )
    )
  if (age >= 50)
    parts.push(
      line(
        [
          [f * 0.4, CENTRE + 1],
          [f * 0.28, CENTRE - 2]
        ],
        shade,
        1.2,
        0.7
      )
    )
  if (!female && figure.cut % 2 === 1) {
    parts.push(
      path(
        `M${-f * 0.12} ${CENTRE + 8}C${f * 0.1} ${CENTRE + 24} ${f * 0.4} ${CENTRE + 20} ${f * 0.62} ${CENTRE + 24}L${f * 0.66} ${CENTRE + 34}L${f - 3} ${CENTRE + 35}Q${f} ${CENTRE + 52} ${f - 14} ${CENTRE + 51}C${f * 0.2} ${CENTRE + 50} ${-f * 0.2} ${CENTRE + 40} ${-f * 0.3} ${CENTRE + 26}Z`,
        hair,
        'opacity="0.92"'
      )
    )
  }
  parts.push(
    female
      ? path(
          `M${f * 0.86} ${CENTRE - 27}C${f * 0.5} ${CENTRE - 62} ${-f - 8} ${CENTRE - 58} ${-f - 8} ${CENTRE - 4}C${-f - 9} ${CENTRE + 20} ${-f} ${CENTRE + 36} ${-f * 0.5} ${CENTRE + 34}C${-f * 0.2} ${CENTRE + 20} ${-f * 0.1} ${CENTRE - 6} ${f * 0.3} ${CENTRE - 14}C${f * 0.5} ${CENTRE - 18} ${f * 0.7} ${CENTRE - 20} ${f * 0.86} ${CENTRE - 27}Z`,
          lit(hair)
        )
      : path(
          `M${f * (age >= 48 ? 0.6 : 0.95)} ${CENTRE - (age >= 48 ? 36 : 24)}C${f * 0.8} ${CENTRE - 62} ${-f - 7} ${CENTRE - 60} ${-f - 5} ${CENTRE - 4}C${-f - 4} ${CENTRE + 14} ${-f + 4} ${CENTRE + 24} ${-f * 0.55} ${CENTRE + 26}C${-f * 0.5} ${CENTRE + 10} ${-f * 0.25} ${CENTRE + 2} ${-f * 0.1} ${CENTRE + 10}L${f * 0.06} ${CENTRE - 8}C${f * 0.2} ${CENTRE - 22} ${f * 0.6} ${CENTRE - 20} ${f * (age >= 48 ? 0.6 : 0.95)} ${CENTRE - (age >= 48 ? 36 : 24)}Z`,
          lit(hair)
        ),
    female ? "" : ellipse([-f * 0.18, CENTRE + 8], 6, 9, darker(skin, 0.08))
  )
  if (!female && age >= 36 && age < 60)
    parts.push(
      line(
        [
          [f * 0.02, CENTRE - 14],
          [-f * 0.16, CENTRE - 2]
        ],
        "#dcdde0",
        4.5,
        0.75
      )
    )
  if (female && figure.style !== "casual")
    parts.push(ellipse([-f * 0.12, CENTRE + 24], 3, figure.style === "editorial" ? 8 : 3, figure.accent))
  return parts.join("")
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
export const head = (figure: Figure, build: Build, facing: "front" | "right") =>
  facing === "front" ? front(figure, build) : profile(figure, build)
