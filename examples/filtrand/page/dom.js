// Small helps for making elements. All text goes in as text, never as HTML.

export const byId = (id) => document.getElementById(id)

export function element(name, className = "", text = "") {
  const made = document.createElement(name)
  if (className !== "") made.className = className
  if (text !== "") made.textContent = text
  return made
}

/** The time of day to the second. */
export function clock(ms) {
  return new Date(ms).toLocaleTimeString("en-GB")
}

/** `1 item`, `1,200 items`. */
export function count(number, noun) {
  return `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`
}
