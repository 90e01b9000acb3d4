/** How many letters are wrong, missing, too many or exchanged with their neighbour. */
const distance = (one: string, other: string): number => {
  let before: Array<number> = []
  let last = Array.from({ length: other.length + 1 }, (_, at) => at)
  for (let row = 1; row <= one.length; row++) {
    const next = [row]
    for (let at = 1; at <= other.length; at++) {
      const same = one[row - 1] === other[at - 1]
      const exchanged = row > 1 && at > 1 && one[row - 1] === other[at - 2] && one[row - 2] === other[at - 1]
      next.push(
        Math.min(
          last[at]! + 1,
          next[at - 1]! + 1,
          last[at - 1]! + (same ? 0 : 1),
          exchanged ? before[at - 2]! + 1 : Number.POSITIVE_INFINITY
        )
      )
    }
    before = last
    last = next
  }
  return last[other.length]!
}

/** Names that begin so are ours alone; `REDIS_`, `DATABASE_` and `LOG_` are also other programs'. */
const OURS = /^(WORKER|TASK|FAL|BROKER|RESULT|METRICS|CONSOLE|WATCHDOG|SHUTDOWN|VISIBILITY|C2PA)_/
/** Variables that Docker and Kubernetes set for a service that is called `worker` or `metrics`. */
const SERVICE = /_(SERVICE_(HOST|PORT\w*)|PORT_\d+_\w+|PORT|NAME|ENV_\w+)$/

/** The name that one who wrote `given` most likely meant; nothing when it is a known one, or none of ours at all. */
export const nearest = (given: string, known: ReadonlyArray<string>): string | undefined => {
  if (known.includes(given)) return undefined
  const plain = given.toUpperCase().replaceAll("-", "_")
  const bare = plain.replace(/^(CELERYD?|MODEL_GENERATOR)_/, "")
  const exact = known.find((name) => name === plain || name === bare)
  if (exact !== undefined) return exact
  const ours = OURS.test(plain) && !SERVICE.test(plain)
  // Celery's older names have another beginning, or none: CELERYD_CONCURRENCY, BROKER_URL.
  const ending = bare !== plain || ours ? known.find((name) => name.endsWith(`_${bare}`)) : undefined
  if (ending !== undefined) return ending
  if (!ours && plain.length <= 5) return undefined
  const isCut = (name: string) => name.startsWith(`${plain}_`)
  const most = (name: string) => Math.max(1, Math.floor(name.length / 6))
  // A start looks at every variable that it is given, so those of other programs are mostly decided by their length.
  const candidates = ours ? known : known.filter((name) => isCut(name) || Math.abs(name.length - plain.length) <= most(name))
  // A name that was cut short is nearer than any other.
  const scored = candidates.map((name) => ({ name, off: isCut(name) ? 0 : distance(plain, name) }))
  const best = scored.toSorted((one, other) => one.off - other.off)[0]
  return best !== undefined && (ours || best.off <= most(best.name)) ? best.name : undefined
}
