// A thread beside the room: a message and its answers, and where one answers.

import { $, h, iconButton } from "./dom.js";
import { go } from "./routes.js";
import { loadThread } from "./history.js";
import { on, store } from "./state.js";
import { View } from "./room.js";

let view = null;

export const threadView = () => view;

export function start() {
  const timeline = h("div.timeline");
  const composer = h("div.composer");
  $("#thread").append(h("header.bar", h("h2", "Thread"), iconButton("close", "Close the thread", close)), timeline, composer);
  view = new View({ timeline, composer, label: "Thread", thread: true, escape: close });
  on("log", (place, { root, inThread }) => {
    if (place === store.here && root === store.thread && view.log && inThread.length) view.timeline.changed(inThread);
  });
  on("thread", (place, root) => place === store.here && root === store.thread && view.timeline.source && view.timeline.show(view.timeline.source));
}

/** Close the thread, and go back to the room. */
export const close = () => store.here && go({ key: store.here.key });

/** Show the thread of the store, or none. */
export async function show(place, root) {
  const turned = $("#thread").hidden || view.composer.thread !== root;
  $("#thread").hidden = !root;
  if (!root) return view.timeline.blank();
  const shown = view.timeline.source;
  if (shown?.place === place && shown.thread === root) return undefined;
  view.timeline.blank(() => view.waiting(place, root));
  view.composer.show(place, root);
  if (turned && matchMedia("(hover: hover)").matches) view.composer.text.focus(); // at once: by the answer one may type elsewhere
  const log = await loadThread(place, root);
  if (store.here !== place || store.thread !== root) return undefined;
  view.timeline.show(view.source(place, log, root, {}));
  return undefined;
}
