import type { Build } from "./build.ts"
import type { Figure } from "./Figure.ts"
import { CENTRE, hairOf, HEIGHT } from "./hair.ts"
import { blob, darker, ellipse, line, lit, mirrored, mix, path, type Point } from "./shape.ts"

/** A face and the hair around it. */
export const headFront = (figure: Figure, build: Build) => {
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
