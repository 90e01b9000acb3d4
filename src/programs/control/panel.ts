import type { Command } from "./Command.ts"
import { control } from "./controlCommands.ts"
import type { ControlledWorker } from "./ControlledWorker.ts"
import { inspect } from "./inspectCommands.ts"

export type Panel = ReadonlyMap<string, Command>

const aliases: Readonly<Record<string, string>> = {
  dump_active: "active",
  dump_reserved: "reserved",
  dump_schedule: "scheduled",
  dump_revoked: "revoked",
  dump_tasks: "registered",
  dump_conf: "conf"
}

/** Every command by each of its names. */
export const panel = (worker: ControlledWorker): Panel => {
  const commands = new Map([...inspect(worker), ...control(worker)].map((command) => [command.name, command]))
  for (const [alias, name] of Object.entries(aliases)) commands.set(alias, commands.get(name)!) // each of them is above
  return commands
}
