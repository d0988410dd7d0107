// A subject, its channel, and what mentions it. The server and the page both use this file.

const PREFIX = "subject-"
/** The most that a channel's name may have, Vacancy's limit and Pusher's. */
const CHANNEL_LENGTH_MAX = 164
/** Alphabets that are written without spaces: there a word has no edges. */
const WITHOUT_SPACES = /[\p{sc=Han}\p{sc=Hira}\p{sc=Kana}\p{sc=Thai}\p{sc=Lao}\p{sc=Khmer}]/u

/** The one spelling of a subject: lower case, single spaces. */
export function tidy(text) {
  return text.toWellFormed().toLowerCase().normalize("NFC").replaceAll(/[\s\p{C}]+/gu, " ").trim()
}

// region: channel-of
/**
 * The channel of a subject. A channel's name may have letters, digits and `_-=@,.;`. So a space becomes `_`,
 * and what is no letter from a to z, digit, `.` or `-` becomes `=` and two digits for each of its bytes:
 * "café au lait" is `subject-caf=C3=A9_au_lait`. Undefined when nothing is left, or too much.
 */
export function channelOf(subject) {
  const name = PREFIX + tidy(subject).replaceAll(/[^a-z0-9. -]/gu, bytes).replaceAll(" ", "_")
  return PREFIX.length < name.length && name.length <= CHANNEL_LENGTH_MAX ? name : undefined
}

/** The subject of a channel; undefined for other channels, and for a spelling that `channelOf` does not make. */
export function subjectOf(channel) {
  if (!channel.startsWith(PREFIX)) return undefined
  try {
    const subject = decodeURIComponent(channel.slice(PREFIX.length).replaceAll("_", " ").replaceAll("=", "%"))
    return channelOf(subject) === channel ? subject : undefined
  } catch {
    return undefined
  }
}
// endregion: channel-of

/** Finds where a text mentions a subject: whole words, in any letter case, also with an s behind. */
export function mentionOf(subject) {
  const words = subject.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, String.raw`\$&`).replaceAll(" ", String.raw`\s+`)
  if (WITHOUT_SPACES.test(subject)) return new RegExp(words, "giu")
  return new RegExp(String.raw`(?<![\p{L}\p{N}])${words}(?:['’]?s)?(?![\p{L}\p{N}])`, "giu")
}

function bytes(character) {
  const hex = (byte) => `=${byte.toString(16).toUpperCase().padStart(2, "0")}`
  return Array.from(new TextEncoder().encode(character), hex).join("")
}
