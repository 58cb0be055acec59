// Commands of the prompt: a line that begins with one is not said by mistake. Here is where the page does the same.

const PLACES = {
  "Here it is “Send later …” in the menu of the room.": "later",
  "Here the menu of the room has it (⋯ at the top).": "scheduled pins mentions topic keep part announce admit",
  "Here the menu of a person has it: click the name.": "mute unmute ban kick role whois msg query expel operator",
  "Here the menu of a message has it (⋯ beside it).": "edit delete react pin unpin reply thread",
  "Here + at the top left has it.": "join rooms who members invite private unban",
  "Here the settings (bottom left) have it.": "nick away web device bell",
  "Here it is the search at the top.": "search history older jump",
  "Here it is the paper clip below.": "send",
  "Here ? shows what the keys do.": "help",
  "Only a terminal has it.": "audit clear exit export highlight ignore quit revoke save set status",
};

/** Where the page does what a command does; "": there is no such command. */
export function told(name) {
  const [place] = Object.entries(PLACES).find(([, names]) => names.split(" ").includes(name)) ?? [];
  return place ? `/${name} is a command of the terminal. ${place}` : "";
}
