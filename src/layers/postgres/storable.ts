/** PostgreSQL stores neither NUL nor half a surrogate pair, and no such character is worth a picture that is paid for. */
export const storable = (text: string) => text.toWellFormed().replaceAll("\0", "\ufffd")
