import type { Answered } from "./exchange.ts"

/**
 * How long the server wants to be left alone (seconds). A date is read against the answer's own, so that clocks that differ do no
 * harm; without one it says nothing.
 */
export const retryAfterOf = ({ header }: Pick<Answered, "header">): number | undefined => {
  const value = header("retry-after")?.trim() ?? ""
  const seconds = /^\d+(\.\d+)?$/.test(value) ? Number(value) : (Date.parse(value) - Date.parse(header("date") ?? "")) / 1000
  return Number.isFinite(seconds) ? Math.max(seconds, 0) : undefined
}
