/** Another commit of ours, built beside this one. */
import { execFileSync } from "node:child_process"
import { mkdtempSync, readFileSync, symlinkSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { root } from "./stage.ts"

export const git = (...args: ReadonlyArray<string>) => execFileSync("git", args, { cwd: root, encoding: "utf8" }).trim()

/** This commit; one with changes that are not committed says so. */
export const here = () => git("rev-parse", "--short", "HEAD") + (git("status", "--porcelain") === "" ? "" : " with changes")

export const build = (folder: string) => {
  execFileSync("npm", ["run", "--silent", "build"], { cwd: folder, stdio: ["ignore", "ignore", "inherit"] })
  return join(folder, "dist", "model-generator.mjs")
}

/** Builds `ref` in a worktree of its own, with our packages when it locks the same ones. It is gone when the process ends. */
export const checkOut = (ref: string) => {
  const commit = git("rev-parse", "--short", "--verify", `${ref}^{commit}`)
  const folder = mkdtempSync(join(tmpdir(), "model-generator-bench-"))
  process.on("exit", () => git("worktree", "remove", "--force", folder))
  git("worktree", "add", "--quiet", "--detach", folder, commit)
  const lock = (of: string) => readFileSync(join(of, "package-lock.json"), "utf8")
  if (lock(folder) === lock(root)) symlinkSync(join(root, "node_modules"), join(folder, "node_modules"))
  else execFileSync("npm", ["ci"], { cwd: folder, stdio: ["ignore", "ignore", "inherit"] })
  return { commit, bundle: build(folder) }
}
