import type { Figure } from "./Figure.ts"
import type { Point } from "./shape.ts"

/** Half widths of a body of seven and a half heads, from the front, and half depths from the side. */
export interface Build {
  readonly shoulder: number
  readonly chest: number
  readonly waist: number
  readonly hip: number
  readonly thigh: number
  readonly calf: number
  readonly arm: number
  readonly face: number
  /** How far it stands out, seen from the side. */
  readonly bust: number
  readonly belly: number
  readonly seat: number
}

const of = {
  male: { shoulder: 77, chest: 60, waist: 51, hip: 53, thigh: 31, calf: 21, arm: 17, face: 33, bust: 36, belly: 31, seat: 36 },
  female: { shoulder: 61, chest: 48, waist: 37, hip: 56, thigh: 30, calf: 19, arm: 13, face: 30, bust: 41, belly: 27, seat: 41 }
}
const factors: Readonly<Record<Figure["body"], Partial<Build>>> = {
  slim: {
    shoulder: 0.88,
    chest: 0.82,
    waist: 0.78,
    hip: 0.8,
    thigh: 0.74,
    calf: 0.78,
    arm: 0.76,
    face: 0.95,
    bust: 0.82,
    belly: 0.78,
    seat: 0.8
  },
  average: {},
  athletic: { shoulder: 1.16, chest: 1.18, waist: 0.95, hip: 1, thigh: 1.12, calf: 1.2, arm: 1.36, bust: 1.15, belly: 0.9 },
  "plus-size": {
    shoulder: 1.16,
    chest: 1.4,
    waist: 1.78,
    hip: 1.5,
    thigh: 1.45,
    calf: 1.32,
    arm: 1.5,
    face: 1.16,
    bust: 1.45,
    belly: 2,
    seat: 1.4
  }
}

export const buildOf = ({ body, gender }: Figure): Build => {
  const base = of[gender]
  const by = factors[body]
  const part = (name: keyof Build) => base[name] * (by[name] ?? 1)
  return {
    shoulder: part("shoulder"),
    chest: part("chest"),
    waist: part("waist"),
    hip: part("hip"),
    thigh: part("thigh"),
    calf: part("calf"),
    arm: part("arm"),
    face: part("face"),
    bust: part("bust"),
    belly: part("belly"),
    seat: part("seat")
  }
}

export interface Limb {
  readonly root: Point
  readonly joint: Point
  readonly end: Point
}
/** Where everything is. `near` is in front of the body for who looks; from the front it is the figure's right. */
export interface Pose {
  readonly facing: "front" | "right"
  /** The torso and the head are moved down by so much. */
  readonly lowered: number
  readonly lean: number
  readonly arms: { readonly near: Limb; readonly far: Limb }
  readonly legs: { readonly near: Limb; readonly far: Limb }
}

export const poseOf = (figure: Figure, build: Build): Pose => {
  const { arm, hip, shoulder } = build
  const upright = { lowered: 0, lean: 0 }
  switch (figure.pose) {
    case "front standing": {
      const x = shoulder - arm * 0.92
      const out = Math.max(x + 15, build.waist + arm + 8, hip + arm * 0.6 + 2)
      const leg = hip * 0.5
      const side = (sign: number) => ({
        arm: { root: [sign * x, 186 + arm], joint: [sign * out, 306], end: [sign * (out - 2), 398] } satisfies Limb,
        leg: { root: [sign * leg, 402], joint: [sign * (leg + 2), 560], end: [sign * (leg + 5), 706] } satisfies Limb
      })
      const [near, far] = [side(-1), side(1)]
      return { facing: "front", ...upright, arms: { near: near.arm, far: far.arm }, legs: { near: near.leg, far: far.leg } }
    }
    case "side":
      return {
        facing: "right",
        ...upright,
        arms: {
          near: { root: [-6, 212], joint: [-14, 306], end: [8, 396] },
          far: { root: [4, 212], joint: [10, 300], end: [24, 392] }
        },
        legs: {
          near: { root: [-2, 402], joint: [1, 560], end: [-8, 708] },
          far: { root: [4, 402], joint: [14, 558], end: [12, 704] }
        }
      }
    case "walking":
      return {
        facing: "right",
        lowered: 10,
        lean: 5,
        arms: {
          near: { root: [-4, 222], joint: [-52, 305], end: [-62, 392] },
          far: { root: [6, 222], joint: [52, 302], end: [104, 362] }
        },
        legs: {
          near: { root: [0, 410], joint: [58, 552], end: [106, 702] },
          far: { root: [-2, 410], joint: [-26, 562], end: [-112, 680] }
        }
      }
    case "sitting":
      return {
        facing: "right",
        lowered: 138,
        lean: 0,
        arms: {
          near: { root: [-6, 350], joint: [-2, 446], end: [82, 500] },
          far: { root: [6, 350], joint: [22, 444], end: [104, 502] }
        },
        legs: {
          near: { root: [-8, 536], joint: [138, 540], end: [126, 706] },
          far: { root: [0, 532], joint: [150, 536], end: [168, 702] }
        }
      }
  }
}
