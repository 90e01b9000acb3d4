import manifest from "../package.json" with { type: "json" }

// Imported first of all, so that a Node that would fail on something further on, or misread JSON as newer ones do, is told so.
const [major, minor] = manifest.engines.node.match(/\d+/g)!.map(Number)
const [isMajor, isMinor] = process.versions.node.split(".").map(Number)
if (isMajor !== major || isMinor! < minor!) {
  process.stderr.write(
    `model-generator needs Node ${major}.${minor} or a later ${major}, and this is ${process.version}; ` +
      "on Linux x64 npm ci brings it: export PATH=node_modules/.bin:$PATH\n"
  )
  process.exit(1)
}
