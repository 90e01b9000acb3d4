import { Option, Schema } from "effect"
import { draw } from "./draw.ts"
import { Figure } from "./Figure.ts"

export interface Rendering {
  readonly figure: Figure | "black"
  readonly width: number
  readonly height: number
  readonly format: "jpeg" | "png"
}

const MARK = "fal-simulator-figure:"
const written = Schema.fromJsonString(Figure)

/** Loaded when the first picture is drawn: a worker in production has no use for it. */
const load = () => import("sharp").then((module) => module.default)

/**
 * The picture's bytes, the same for the same figure and size. The figure is written into the metadata, so that an edit of the
 * picture, wherever it has been kept, can draw the same person.
 */
export const render = async ({ figure, format, height, width }: Rendering): Promise<Buffer> => {
  const sharp = await load()
  const picture =
    figure === "black"
      ? sharp({ create: { width, height, channels: 3, background: "#000000" } })
      : sharp(Buffer.from(draw(figure, width, height)))
          .flatten({ background: "#ffffff" })
          .withExif({
            IFD0: { ImageDescription: `${MARK}${Buffer.from(Schema.encodeSync(written)(figure)).toString("base64")};` }
          })
  return (format === "png" ? picture.png({ compressionLevel: 6 }) : picture.jpeg({ quality: 86 })).toBuffer()
}

/** The figure in a picture that was drawn here. */
export const figureIn = (bytes: Buffer): Option.Option<Figure> => {
  const from = bytes.indexOf(MARK)
  const to = bytes.indexOf(";", from)
  if (from < 0 || to < 0) return Option.none()
  return Schema.decodeOption(written)(Buffer.from(bytes.toString("latin1", from + MARK.length, to), "base64").toString("utf8"))
}

/** `undefined` when the bytes are no picture. */
export const sizeOf = async (bytes: Buffer): Promise<readonly [width: number, height: number] | undefined> => {
  const sharp = await load()
  return sharp(bytes)
    .metadata()
    .then(
      ({ height, width }) => [width, height] as const,
      () => undefined
    )
}
