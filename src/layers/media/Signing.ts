import type { ContentType, Mark } from "../../services/Pictures.ts"

/** What the worker and the process that signs its pictures say to each other. */
export interface SigningOrder {
  readonly order: number
  /** A picture's file with its mark. */
  readonly bytes: Uint8Array
  readonly contentType: ContentType
  readonly mark: Mark
}
export type SigningAnswer =
  | { readonly order: number; readonly problem: null; readonly bytes: Uint8Array }
  /** Why this file is not signed. */
  | { readonly order: number; readonly problem: string }
