import { type Finding, note, ok } from "../services/Preconditions.ts"

/** Tasks with an ETA are this much early or late at most before somebody should look (seconds). */
const SKEW_SECONDS = 5

/** How this machine's clock stands to Redis's. */
export const clockFinding = (ahead: number): Finding => {
  const says = `${Math.abs(ahead).toFixed(Math.abs(ahead) < 1 ? 3 : 0)} s ${ahead < 0 ? "behind" : "ahead of"} Redis's`
  return Math.abs(ahead) <= SKEW_SECONDS
    ? ok("clock", says)
    : note("clock", says, "timedatectl on this machine and on Redis's; systemctl restart systemd-timesyncd")
}
