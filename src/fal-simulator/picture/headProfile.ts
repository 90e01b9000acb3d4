import type { Build } from "./build.ts"
import type { Figure } from "./Figure.ts"
import { CENTRE, hairOf } from "./hair.ts"
import { darker, ellipse, line, lit, mix, path } from "./shape.ts"

/** The same person, looking to the right. */
export const headProfile = (figure: Figure, build: Build) => {
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
