import { defineConfig } from "rolldown"

/** One file that runs on bare Node. PGlite and sharp stay outside: only the demo and the simulator load them, from node_modules. */
export default defineConfig({
  input: "src/main.ts",
  platform: "node",
  external: ["@electric-sql/pglite", "sharp", "redis"],
  output: { file: "dist/model-generator.mjs", format: "esm", minify: true, sourcemap: true, codeSplitting: false }
})
