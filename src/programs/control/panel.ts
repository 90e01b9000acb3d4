import type { Command } from "./Command.ts"
import { control } from "./control.ts"
import type { Desk } from "./Desk.ts"
import { inspect } from "./inspect.ts"

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
export const panel = (desk: Desk): Panel => {
  const commands = new Map([...inspect(desk), ...control(desk)].map((command) => [command.name, command]))
  for (const [alias, name] of Object.entries(aliases)) commands.set(alias, commands.get(name)!) // each of them is above
  return commands
}
