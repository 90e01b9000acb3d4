/** Python's ISO 8601, in UTC. */
export const iso = (millis: number) => new Date(millis).toISOString().replace("Z", "000+00:00")

/** ISO 8601 as Unix milliseconds, or NaN; without an offset it means UTC (celery-wire 1.8). */
export const moment = (text: string) =>
  /^\d{4}-\d\d-\d\d/.test(text)
    ? Date.parse(/(Z|[+-]\d\d:?\d\d)$/.test(text) || text.length <= 10 ? text : `${text}Z`)
    : Number.NaN
