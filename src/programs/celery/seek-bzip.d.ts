/** The part of seek-bzip that is used; it brings no types. */
declare module "seek-bzip" {
  const bunzip: { readonly decode: (packed: Uint8Array, output: { readonly writeByte: (byte: number) => void }) => void }
  export default bunzip
}
