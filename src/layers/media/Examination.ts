/**
 * What the worker and the process that decodes its pictures say to each other. The process says `ready` when it has loaded what
 * it needs; then each `Order` has one answer.
 */
export interface Order {
  readonly order: number
  readonly bytes: Uint8Array
  /** The most pixels it may decode. */
  readonly pixels: number
}
export type Answer =
  | { readonly order: number; readonly flaw: "cannot be decoded" | "one colour"; readonly detail: string }
  | {
      readonly order: number
      readonly flaw: null
      /** WebP without a mark. */
      readonly thumbnail: Uint8Array
      readonly thumbhash: string
      readonly phash: string
    }
