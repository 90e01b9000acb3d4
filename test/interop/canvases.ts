const invalid = "ValidationError: surprise: is not an argument of this task"
const dependency = "ChordError: Dependency ID raised ValidationError('surprise: is not an argument of this task')"

/** What a client is to see of the canvases of canvas_client.py, each under its name there. */
export const canvases: Readonly<Record<string, unknown>> = {
  chain: ["healthy", ["healthy"], "healthy", ["healthy", "end"]],
  "chain of pictures": ["picture", "picture", ["picture"]],
  "failing chain": [invalid, invalid, invalid],
  "their failure in a chain": ["healthy", "ValueError: boom", "ValueError: boom"],
  "header ours, body theirs": [["healthy", "healthy", "picture"], [["healthy", "healthy", "picture"]]],
  "header theirs, body ours": [[2, 4], "healthy"],
  "mixed header": [["healthy", 2, "healthy", 6, "healthy", 10]],
  "our failing header": dependency,
  "our failing header, body ours": dependency,
  "their failing header": "ChordError: Dependency ID raised ValueError('boom')",
  "unregistered in a header": "ChordError: Dependency ID raised NotRegistered('no.such')",
  "errback of a body": [dependency, 1],
  link: [["healthy", "linked"]],
  links: [[["healthy", "a"], 3, "healthy"]],
  "link to a group": [[3, "healthy"]],
  "link to a chain": [3],
  "link to a chord": [[3, "healthy"]],
  link_error: [invalid, 1],
  link_errors: [invalid, 2],
  "link_error of ours": invalid,
  "chain ending in a group": [2, "healthy", ["healthy"]],
  "group inside a chain": ["healthy", [2, "healthy"], [[2, "healthy"]], 1],
  "group inside a chain, body ours": ["healthy", [2, "healthy"], "healthy"],
  "two groups inside a chain": [[2, 2]],
  "failing group inside a chain": dependency,
  "failing group inside a chain, and more to come": dependency,
  "failing header, body a chain": dependency,
  "failing header, body a group": [dependency, dependency],
  "chains in a header": [[2, "healthy"]],
  "failing chain in a header": dependency,
  "chord in a header": 12,
  "failing chord in a header":
    "ChordError: Dependency ID raised ChordError(\"Dependency ID raised ValidationError('surprise: is not an argument of this task')\")",
  "group in a header": 3,
  "chain ending in a group in a header": [[["healthy", "picture"], "healthy"]],
  "the same, after a task of ours": [[["healthy", "picture"], "healthy"]],
  "body a chain": "healthy",
  "body a group": [2, [["healthy", "healthy"]], "healthy"],
  options: "healthy",
  "plain group": ["healthy", 2, "picture"]
}

/**
 * Where stock workers leave a client waiting for ever (5.3.6 all of them, 5.6.3 all but the second), or, of the last two, at
 * times fail the body with a "Join error".
 */
export const stockFails: ReadonlyArray<string> = [
  "unregistered in a header",
  "failing header, body a chain",
  "failing header, body a group",
  "failing group inside a chain, and more to come",
  "failing chord in a header",
  "chain ending in a group in a header",
  "the same, after a task of ours"
]
