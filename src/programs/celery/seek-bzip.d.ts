/** The part of seek-bzip 2.0.0 that is used; it brings no types. The methods are those its own `decode` calls in a loop. */
declare module "seek-bzip" {
  interface Input {
    pos: number
    readonly readByte: () => number
    readonly read: (buffer: Uint8Array, offset: number, length: number) => number
    readonly seek: (pos: number) => void
  }
  class Bunzip {
    constructor(input: Input, output: { readonly writeByte: (byte: number) => void })
    static decode(packed: Uint8Array, output: { readonly writeByte: (byte: number) => void }): void
    readonly streamCRC: number
    readonly reader: { readonly read: (bits: number) => number }
    /** Reads one block, of 900 KB at most before its runs are written out; `false` at the end. */
    _init_block(): boolean
    _read_bunzip(): number
  }
  export default Bunzip
}
