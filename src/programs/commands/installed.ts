/** What stays outside the one-file build: loaded from beside it, where it is, by the demo and the simulator alone. */
export const isInstalled = (name: "@electric-sql/pglite" | "sharp"): boolean => {
  try {
    return import.meta.resolve(name) !== ""
  } catch {
    return false
  }
}
