import { buildOf, poseOf } from "./build.ts"
import type { Figure } from "./Figure.ts"
import { bareBack, bareChest, seatedLap } from "./drapery.ts"
import { hairBehind, neck } from "./hair.ts"
import { headFront } from "./headFront.ts"
import { headProfile } from "./headProfile.ts"
import * as Limbs from "./limbs.ts"
import { blob, darker, ellipse, gradients, lighter, lit } from "./shape.ts"
import { torsoFront } from "./torsoFront.ts"
import { torsoSide } from "./torsoSide.ts"

const moved = (x: number, y: number, drawing: string) => `<g transform="translate(${x} ${y})">${drawing}</g>`

const stool = (seat: number) =>
  blob(
    [
      [-seat - 26, 566],
      [52, 566],
      [58, 582],
      [52, 590],
      [-seat - 28, 590],
      [-seat - 32, 580]
    ],
    lit("#5d5148")
  ) +
  `<path d="M${-seat - 14} 588L${-seat - 26} 738M40 588L52 738M${-seat - 20} 660H46" stroke="#463c35" stroke-width="9" stroke-linecap="round"/>`

/** The figure alone, its feet on y = 740. */
const person = (figure: Figure): string => {
  const build = buildOf(figure)
  const { arms, facing, lean, legs, lowered } = poseOf(figure, build)
  const seated = figure.pose === "sitting"
  const up = (drawing: string) =>
    `<g transform="translate(0 ${lowered})${lean === 0 ? "" : ` rotate(${lean} 0 400)`}">${drawing}</g>`
  const bare = figure.style === "editorial" && figure.gender === "female"
  const isFront = facing === "front"
  const torso = isFront ? torsoFront(figure, build) : torsoSide(figure, build, seated)
  const skin = bare ? (isFront ? bareChest(figure, build) : bareBack(figure, build)) : ""
  const farArm = Limbs.arm(figure, build, arms.far, !isFront)
  const nearArm = Limbs.arm(figure, build, arms.near, false)
  const bothLegs = Limbs.leg(figure, build, legs.far, facing, !isFront) + Limbs.leg(figure, build, legs.near, facing, false)
  return [
    isFront ? up(hairBehind(figure, build, facing)) : "",
    seated ? seatedLap(figure, build, { behind: true }) + stool(build.seat) : "",
    farArm,
    // A coat or a gown falls over the legs; from the front sleeves come out of it.
    bothLegs,
    isFront && !bare && figure.style !== "casual" ? nearArm : "",
    up(
      neck(figure, build, facing) +
        skin +
        torso +
        (isFront ? "" : hairBehind(figure, build, facing)) +
        (isFront ? headFront : headProfile)(figure, build)
    ),
    seated ? seatedLap(figure, build, { behind: false }) : "",
    isFront && !bare && figure.style !== "casual" ? "" : nearArm
  ].join("")
}

/** A studio with a rounded corner between wall and floor, and somebody in it. */
export const draw = (figure: Figure, width: number, height: number): string => {
  const dramatic = figure.style === "editorial"
  const wall = dramatic ? darker(figure.wall, 0.2) : figure.wall
  const drawing = person(figure)
  const shadow = figure.pose === "front standing" ? 128 : figure.pose === "side" ? 112 : 170
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}"><defs>` +
    `<linearGradient id="wall" x1="0" y1="0" x2="0" y2="1"><stop offset="0" stop-color="${darker(wall, dramatic ? 0.16 : 0.05)}"/><stop offset="0.62" stop-color="${lighter(wall, 0.35)}"/><stop offset="0.8" stop-color="${darker(wall, 0.09)}"/><stop offset="1" stop-color="${darker(wall, 0.03)}"/></linearGradient>` +
    `<radialGradient id="lamp" cx="0.42" cy="0.36" r="0.62"><stop offset="0" stop-color="#ffffff" stop-opacity="0.75"/><stop offset="1" stop-color="#ffffff" stop-opacity="0"/></radialGradient>` +
    `<radialGradient id="shadow"><stop offset="0" stop-color="#15151c" stop-opacity="0.42"/><stop offset="0.55" stop-color="#15151c" stop-opacity="0.16"/><stop offset="1" stop-color="#15151c" stop-opacity="0"/></radialGradient>` +
    `${gradients(drawing)}</defs><rect width="100%" height="100%" fill="url(#wall)"/><rect width="100%" height="100%" fill="url(#lamp)"/>` +
    `<svg width="100%" height="100%" viewBox="0 0 600 800" preserveAspectRatio="xMidYMid meet">` +
    moved(
      figure.pose === "sitting" ? 245 : 300,
      14,
      ellipse([figure.pose === "sitting" ? 60 : 12, 744], shadow, 17, "url(#shadow)") + drawing
    ) +
    `</svg></svg>`
  )
}
