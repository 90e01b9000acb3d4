import { type Finding, note, ok } from "../../services/Preconditions.ts"

/** If the clocks differ by more than this, tasks with an ETA run visibly early or late, and an operator should act (seconds). */
const SKEW_SECONDS = 5

/** How this machine's clock stands to Redis's. */
export const clockFinding = (ahead: number): Finding => {
  const says = `${Math.abs(ahead).toFixed(Math.abs(ahead) < 1 ? 3 : 0)} s ${ahead < 0 ? "behind" : "ahead of"} Redis's`
  return Math.abs(ahead) <= SKEW_SECONDS
    ? ok("clock", says)
    : note("clock", says, "timedatectl on this machine and on Redis's; systemctl restart systemd-timesyncd")
}
