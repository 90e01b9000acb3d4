import { script } from "./script.ts"
import { journalKeys, writeArguments, writing } from "./lib/journalEntries.ts"

/** Writes a journal entry: "written", or "changed" when another text is there than the one expected. */
export const replaceEntry = script({
  name: "mgReplace",
  keys: journalKeys,
  args: writeArguments,
  uses: [writing],
  lua: `
if not is_expected() then return 'changed' end
write()
return 'written'`,
  answer: (reply) => reply
})
