import { defineConfig } from "rolldown"

/**
 * One file that runs on bare Node. PGlite and sharp stay outside: only the demo and the simulator load them, from node_modules.
 * The first line asks V8 for the smaller of two sizes: 20 MB less memory at rest, for speed that one task at a time cannot use.
 */
export default defineConfig({
  input: "src/main.ts",
  platform: "node",
  external: ["@electric-sql/pglite", "sharp", "redis"],
  output: {
    file: "dist/model-generator.mjs",
    format: "esm",
    minify: true,
    sourcemap: true,
    codeSplitting: false,
    banner: '#!/usr/bin/env node\nimport{setFlagsFromString as v8Flag}from"node:v8";v8Flag("--optimize-for-size");'
  }
})
