// The browser's storage. Where a browser refuses it (private windows, a full disk), the page works without.

export function load(key, otherwise) {
  try {
    return JSON.parse(localStorage.getItem(key)) ?? otherwise;
  } catch {
    return otherwise;
  }
}

export function save(key, value) {
  try {
    localStorage.setItem(key, JSON.stringify(value));
  } catch (refused) {
    console.warn("Not kept in the browser's storage:", refused.name);
  }
}
