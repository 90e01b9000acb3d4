import { assert, describe, it } from "@effect/vitest"
import { DateTime } from "effect"
import { periodAt, periodsAround } from "../../src/layers/journal/calendar.ts"

const zone = (name: string) => DateTime.zoneMakeNamedUnsafe(name)
const at = (text: string) => Date.parse(text)
const iso = (seconds: number) => new Date(seconds * 1000).toISOString()

describe("the periods of a budget", () => {
  const days: ReadonlyArray<readonly [what: string, zone: string, at: string, label: string, ends: string]> = [
    ["a plain day", "Europe/Berlin", "2026-07-01T12:00:00Z", "2026-07-01", "2026-07-01T22:00:00.000Z"],
    [
      "one hour shorter where clocks go forward",
      "Europe/Berlin",
      "2026-03-29T00:30:00Z",
      "2026-03-29",
      "2026-03-29T22:00:00.000Z"
    ],
    ["one hour longer where they go back", "Europe/Berlin", "2026-10-25T00:30:00Z", "2026-10-25", "2026-10-25T23:00:00.000Z"],
    ["the second time of the same hour", "America/New_York", "2026-11-01T06:30:00Z", "2026-11-01", "2026-11-02T05:00:00.000Z"],
    ["midnight does not exist", "Africa/Cairo", "2026-04-23T12:00:00Z", "2026-04-23", "2026-04-23T22:00:00.000Z"],
    ["midnight comes twice", "America/Havana", "2026-11-01T03:30:00Z", "2026-10-31", "2026-11-01T04:00:00.000Z"],
    ["a whole day is left out", "Pacific/Apia", "2011-12-30T09:00:00Z", "2011-12-29", "2011-12-30T10:00:00.000Z"],
    ["half an hour from the others", "Australia/Lord_Howe", "2026-04-04T14:00:00Z", "2026-04-05", "2026-04-05T13:30:00.000Z"]
  ]
  for (const [what, name, when, label, ends] of days)
    it(`${what} (${name})`, () => {
      const { ends: found, ...period } = periodAt(at(when), "day", zone(name))
      assert.deepStrictEqual([period.label, iso(found)], [label, ends])
    })

  it("a month ends where the zone's month ends", () => {
    const { ends, label } = periodAt(at("2026-11-30T23:30:00Z"), "month", zone("Europe/Berlin"))
    assert.deepStrictEqual([label, iso(ends)], ["2026-12", "2026-12-31T23:00:00.000Z"])
  })

  it("those around an instant follow each other without a gap, all year, wherever clocks change", () => {
    for (const name of ["UTC", "Europe/Berlin", "America/Havana", "Australia/Lord_Howe"])
      for (const [span, step] of [
        ["day", 61],
        ["month", 701]
      ] as const)
        for (let now = at("2026-01-01T00:30:00Z"); now < at("2027-01-01T00:00:00Z"); now += step * 3_600_000) {
          const [before, current, after] = periodsAround(now, span, zone(name))
          assert.isAtMost(before!.ends * 1000, now)
          assert.isAbove(current!.ends * 1000, now)
          assert.isBelow(before!.label.localeCompare(current!.label), 0)
          assert.isBelow(current!.label.localeCompare(after!.label), 0)
          assert.deepStrictEqual(periodAt(before!.ends * 1000, span, zone(name)), current)
          assert.deepStrictEqual(periodAt(before!.ends * 1000 - 1000, span, zone(name)), before)
        }
  })
})
