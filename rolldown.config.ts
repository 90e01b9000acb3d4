import type { RolldownOptions } from "rolldown"
import manifest from "./package.json" with { type: "json" }

// Deprecated, which Node says of code that is not in node_modules.
const withoutNewBuffer = {
  name: "without-new-buffer",
  transform: (code: string, id: string) =>
    id.includes("seek-bzip") ? { code: code.replaceAll("new Buffer(", "Buffer.alloc("), map: null } : undefined
}

/**
 * One file that runs on bare Node. PGlite and sharp stay outside, in node_modules: only the demo, the simulator and the decoder load them.
 * Its code begins by asking V8 to keep the heap small: some 20 MB less at rest, for speed that one picture at a time cannot use.
 * A Node that can read the file is told by `src/needsNode.ts` whether it is the right one. An older one reads a file to its first
 * error and shows that line: so its first line is one that Nodes before 16.11 cannot read, short and with the reason.
 */
const program = {
  input: "src/main.ts",
  platform: "node",
  plugins: [withoutNewBuffer],
  external: ["@electric-sql/pglite", "sharp", "redis"],
  output: {
    file: "dist/model-generator.mjs",
    format: "esm",
    minify: true,
    sourcemap: true,
    codeSplitting: false,
    banner:
      'import{setFlagsFromString as v8Flag}from"node:v8";v8Flag("--optimize-for-size");v8Flag("--semi-space-growth-factor=1");',
    postBanner: `#!/usr/bin/env node\n(class{static{}}) // model-generator needs Node ${manifest.engines.node}\n;`
  }
} satisfies RolldownOptions

/** The process that decodes pictures: a file of its own, so that it does not load the worker. */
const decoder = {
  input: "src/layers/media/decoder.ts",
  platform: "node",
  external: ["sharp"],
  output: { file: "dist/decoder.mjs", format: "esm", minify: true, sourcemap: true, codeSplitting: false }
} satisfies RolldownOptions

/** The process that signs pictures, where a certificate is set. */
const signer = {
  input: "src/layers/media/signer.ts",
  platform: "node",
  external: ["cbor-extract"], // a faster way to read CBOR, and it is only written here
  output: { file: "dist/signer.mjs", format: "esm", minify: true, sourcemap: true, codeSplitting: false }
} satisfies RolldownOptions

/** What the console's pages run, in the browser. */
const page = {
  input: "src/programs/console/browser.mjs",
  platform: "browser",
  output: { file: "dist/console.mjs", format: "iife", minify: true, codeSplitting: false }
} satisfies RolldownOptions

export default [program, decoder, signer, page]
