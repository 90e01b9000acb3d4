import { Context, type Effect, type Option, type Redacted, Schema } from "effect"

/** What a person may do: each may also do what those before it may. A viewer looks, a curator decides, an operator acts. */
export const ROLES = ["viewer", "curator", "operator"] as const
export type Role = (typeof ROLES)[number]
export const mayAct = (role: Role, needed: Role) => ROLES.indexOf(role) >= ROLES.indexOf(needed)

export interface Person {
  readonly name: string
  readonly role: Role
}

/** A name as it stands in the audit: no spaces, and nothing that looks like another character. */
export const NAME = /^[A-Za-z\d][\w.@+-]{0,63}$/

export class PeopleError extends Schema.TaggedError<PeopleError>()("PeopleError", { detail: Schema.String }) {
  override get message() {
    return this.detail
  }
}

/** Who may sign in at the console. No password is kept, only what a password can be checked against. */
export class People extends Context.Service<
  People,
  {
    readonly list: Effect.Effect<ReadonlyArray<Person>, PeopleError>
    readonly find: (name: string) => Effect.Effect<Option.Option<Person>, PeopleError>
    /** The person of this name and password. It takes as long for a name that nobody has. */
    readonly verify: (name: string, password: Redacted.Redacted) => Effect.Effect<Option.Option<Person>, PeopleError>
    /** Adds a person, in the place of the one of that name. */
    readonly put: (person: Person, password: Redacted.Redacted) => Effect.Effect<void, PeopleError>
    /** `false` when nobody has this name. */
    readonly remove: (name: string) => Effect.Effect<boolean, PeopleError>
  }
>()("model-generator/services/People") {}
