import { thumbHashToRGBA } from "thumbhash"

/** Pixels a side of what is sent: the browser stretches and smooths it. */
const [WIDTH, HEIGHT] = [6, 8]

/** A Windows bitmap of 24 bits a pixel, whose lines are a multiple of four bytes: the file that is shortest to write. */
const bitmap = (colour: (x: number, y: number) => readonly [red: number, green: number, blue: number]) => {
  const line = Math.ceil((WIDTH * 3) / 4) * 4
  const file = Buffer.alloc(54 + line * HEIGHT)
  file.write("BM")
  file.writeUInt32LE(file.length, 2)
  file.writeUInt32LE(54, 10) // where the pixels begin
  file.writeUInt32LE(40, 14)
  file.writeInt32LE(WIDTH, 18)
  file.writeInt32LE(-HEIGHT, 22) // from the top
  file.writeUInt16LE(1, 26)
  file.writeUInt16LE(24, 28)
  for (let y = 0; y < HEIGHT; y++)
    for (let x = 0; x < WIDTH; x++) {
      const [red, green, blue] = colour(x, y)
      file.set([blue, green, red], 54 + y * line + x * 3)
    }
  return file
}

/** The blurred picture that a thumbhash is, as an address of some 300 characters. Undefined for what is no thumbhash. */
export const placeholder = (thumbhash: unknown): string | undefined => {
  if (typeof thumbhash !== "string" || !/^[\w+/]{8,64}={0,2}$/.test(thumbhash)) return undefined
  try {
    const { h, rgba, w } = thumbHashToRGBA(Buffer.from(thumbhash, "base64"))
    const file = bitmap((x, y) => {
      const at = (Math.floor(((y + 0.5) * h) / HEIGHT) * w + Math.floor(((x + 0.5) * w) / WIDTH)) * 4
      return [rgba[at]!, rgba[at + 1]!, rgba[at + 2]!]
    })
    return `data:image/bmp;base64,${file.toString("base64")}`
  } catch {
    return undefined // too short for what its header says
  }
}
