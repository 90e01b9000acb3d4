import { Effect } from "effect"
import { readFileSync, realpathSync, rmSync, writeFileSync, mkdirSync } from "node:fs"
import { basename, dirname, join } from "node:path"
import { LibraryError } from "../../services/ModelLibrary.ts"

// A lock with our own pid is stale when this process did not take it: in a container every life has the same pid.
const taken = new Set<string>()

const isAlive = (pid: number) => {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM" // another user's process
  }
}

const holderOf = (lock: string): number | undefined => {
  try {
    const pid = Number(readFileSync(lock, "utf8"))
    return taken.has(lock) || (pid !== process.pid && pid > 0 && isAlive(pid)) ? pid : undefined
  } catch {
    return undefined
  }
}

const take = (folder: string): string => {
  mkdirSync(dirname(folder), { recursive: true })
  const lock = join(realpathSync(dirname(folder)), `${basename(folder)}.lock`)
  const holder = holderOf(lock)
  if (holder !== undefined) {
    const detail = `${folder} is in use by process ${holder}; two would corrupt it`
    throw new LibraryError({ operation: "open", detail, retryable: false })
  }
  rmSync(lock, { force: true })
  writeFileSync(lock, String(process.pid), { flag: "wx" })
  taken.add(lock)
  return lock
}

/**
 * The folder is this process's alone while the scope lives; a dead process's lock is taken over. PGlite has no lock of its
 * own: two processes on one folder lose rows without an error.
 */
export const folderLock = (folder: string) =>
  Effect.acquireRelease(
    Effect.try({
      try: () => take(folder),
      catch: (error) =>
        error instanceof LibraryError
          ? error
          : new LibraryError({ operation: "open", detail: `cannot lock ${folder}: ${String(error)}`, retryable: false })
    }),
    (lock) =>
      Effect.sync(() => {
        taken.delete(lock)
        rmSync(lock, { force: true })
      })
  )
