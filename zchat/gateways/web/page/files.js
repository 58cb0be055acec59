// Files that go with what is said: pasted, dropped or chosen.

/**
 * Hang on to a composer: `strip` is an element for previews above the text; `picker` opens the choice of files.
 * @param {{box: HTMLElement, strip: HTMLElement, changed: () => void}} composer
 * @returns {{pick(): void, take(): object[], ready(): boolean, count(): number}} `take` gives the attachments for `say`, and empties the strip
 */
export function attachTo(_composer) {
  return { pick() {}, take: () => [], ready: () => true, count: () => 0 };
}
