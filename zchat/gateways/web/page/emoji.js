// Emoji that people use, by the names that they know from elsewhere.

const TABLE = `👍 +1 thumbsup|❤️ heart|😂 joy|🎉 tada|👀 eyes|✅ white_check_mark done|🙏 pray thanks|🚀 rocket|😀 grinning|😃 smiley|😄 smile|😁 grin|😆 laughing satisfied|
😅 sweat_smile|🤣 rofl|🙂 slightly_smiling_face|🙃 upside_down_face|😉 wink|😊 blush|😇 innocent|🥰 smiling_face_with_three_hearts|
😍 heart_eyes|🤩 star_struck|😘 kissing_heart|😋 yum|😛 stuck_out_tongue|😜 stuck_out_tongue_winking_eye|🤪 zany_face|
🤑 money_mouth_face|🤗 hugs|🤭 hand_over_mouth|🤫 shushing_face|🤔 thinking|🤐 zipper_mouth_face|🤨 raised_eyebrow|😐 neutral_face|
😑 expressionless|😶 no_mouth|😏 smirk|😒 unamused|🙄 roll_eyes|😬 grimacing|🤥 lying_face|😌 relieved|😔 pensive|😪 sleepy|😴 sleeping|😷 mask|
🤒 face_with_thermometer|🤕 face_with_head_bandage|🤢 nauseated_face|🤮 vomiting_face|🤧 sneezing_face|🥵 hot_face|🥶 cold_face|🥴 woozy_face|
😵 dizzy_face|🤯 exploding_head|🤠 cowboy_hat_face|🥳 partying_face|😎 sunglasses|🤓 nerd_face|🧐 monocle_face|😕 confused|😟 worried|
🙁 slightly_frowning_face|😮 open_mouth|😯 hushed|😲 astonished|😳 flushed|🥺 pleading_face|😦 frowning|😧 anguished|😨 fearful|😰 cold_sweat|
😥 disappointed_relieved|😢 cry|😭 sob|😱 scream|😖 confounded|😣 persevere|😞 disappointed|😓 sweat|😩 weary|😫 tired_face|🥱 yawning_face|😤 triumph|😡 pout rage|
😠 angry|🤬 cursing_face|😈 smiling_imp|💀 skull|💩 shit poop|🤡 clown_face|👻 ghost|👽 alien|🤖 robot_face|😺 smiley_cat|😹 joy_cat|
🙈 see_no_evil|🙉 hear_no_evil|🙊 speak_no_evil|💔 broken_heart|💕 two_hearts|💖 sparkling_heart|
💙 blue_heart|💚 green_heart|💛 yellow_heart|🧡 orange_heart|💜 purple_heart|🖤 black_heart|💯 100|💢 anger|💥 boom|💫 dizzy|💦 sweat_drops|💨 dash|
💬 speech_balloon|💭 thought_balloon|💤 zzz|👋 wave|🖐️ raised_hand_with_fingers_splayed|✋ hand|🖖 vulcan_salute|
👌 ok_hand|🤏 pinching_hand|✌️ v|🤞 crossed_fingers|🤟 love_you_gesture|🤘 metal|🤙 call_me_hand|👈 point_left|👉 point_right|👆 point_up_2|👇 point_down|
☝️ point_up|👎 -1 thumbsdown|✊ fist fist_raised|👊 punch facepunch|👏 clap|🙌 raised_hands|👐 open_hands|🤝 handshake|✍️ writing_hand|💅 nail_care|💪 muscle|
🧠 brain|👶 baby|🧑 adult|👩 woman|👨 man|🤦 facepalm|🤷 shrug|🙇 bow|🙋 raising_hand|🏃 runner running|💃 dancer|
🐵 monkey_face|🐶 dog|🦊 fox_face|🐱 cat|🦁 lion_face|🐯 tiger|🐴 horse|🦄 unicorn_face|🐮 cow|🐷 pig|🐭 mouse|🐹 hamster|🐰 rabbit|🐻 bear|🐼 panda_face|
🐨 koala|🐔 chicken|🐧 penguin|🐦 bird|🦆 duck|🦉 owl|🐸 frog|🐢 turtle|🐍 snake|🐉 dragon|🐳 whale|🐟 fish|🐙 octopus|🐌 snail|🦋 butterfly|🐛 bug|🐝 bee|
🐞 beetle|🕷️ spider|🌹 rose|🌻 sunflower|🌱 seedling|🌴 palm_tree|🌵 cactus|🍀 four_leaf_clover|🍁 maple_leaf|🍄 mushroom|🍎 apple|🍌 banana|
🍇 grapes|🍓 strawberry|🍑 peach|🍍 pineapple|🍅 tomato|🥕 carrot|🌶️ hot_pepper|🍞 bread|🧀 cheese|🍳 egg fried_egg|
🍔 hamburger|🍟 fries|🍕 pizza|🌮 taco|🍜 ramen|🍣 sushi|🍦 icecream|🍩 doughnut|🍪 cookie|🎂 birthday|
🍰 cake|🍿 popcorn|☕ coffee|🍵 tea|🍺 beer|🍻 beers|🍷 wine_glass|
🌍 earth_africa|🏔️ mountain_snow|🏠 house|🏢 office|🚑 ambulance|
🚗 car red_car|🚌 bus|🚲 bike|🚆 train2|✈️ airplane|🚢 ship|🛑 stop_sign|🚧 construction|⏰ alarm_clock|⏳ hourglass_flowing_sand|
🌙 crescent_moon|☀️ sunny|⭐ star|🌟 star2|☁️ cloud|🌧️ cloud_with_rain|❄️ snowflake|⛄ snowman|🔥 fire|💧 droplet|🌊 ocean|⚡ zap|
🌈 rainbow|🎃 jack_o_lantern|🎄 christmas_tree|✨ sparkles|🎈 balloon|🎁 gift|🏆 trophy|🥇 1st_place_medal|🥈 2nd_place_medal|
🥉 3rd_place_medal|⚽ soccer|🏀 basketball|🎯 dart|🎮 video_game|🎲 game_die|🧩 jigsaw|🎨 art|🎵 musical_note|🎤 microphone|🎧 headphones|🎸 guitar|
🎬 clapper|💻 computer|🖥️ desktop_computer|⌨️ keyboard|💾 floppy_disk|📱 iphone|☎️ phone|🔋 battery|🔌 electric_plug|📷 camera|📺 tv|🔍 mag|
💡 bulb|🔦 flashlight|📖 book|📚 books|📝 pencil|✏️ pencil2|📎 paperclip|📌 pushpin|✂️ scissors|📁 file_folder|📅 date|
📈 chart_with_upwards_trend|📉 chart_with_downwards_trend|📊 bar_chart|📋 clipboard|📦 package|📧 email e_mail|🗑️ wastebasket|🔒 lock|🔓 unlock|
🔑 key|🔨 hammer|🛠️ hammer_and_wrench|⚙️ gear|🔧 wrench|🔗 link|🧪 test_tube|🔬 microscope|💊 pill|
💰 moneybag|💸 money_with_wings|💳 credit_card|⚖️ scales|⚠️ warning|🚫 no_entry_sign|❌ x|⭕ o|❓ question|
❗ exclamation|‼️ bangbang|➕ heavy_plus_sign|➡️ arrow_right|⬅️ arrow_left|⬆️ arrow_up|⬇️ arrow_down|
🔄 arrows_counterclockwise|🔁 repeat|⏩ fast_forward|⏸️ pause_button|▶️ arrow_forward|⏹️ black_square_for_stop|♻️ recycle|
✔️ heavy_check_mark|☑️ ballot_box_with_check|🆗 ok ok_button|🆕 new new_button|🆘 sos sos_button|🔴 red_circle|🟠 orange_circle|🟡 yellow_circle|
🟢 green_circle|🔵 large_blue_circle|🟣 purple_circle|⚫ black_circle|⚪ white_circle|🟥 red_square|🟩 green_square|🏁 checkered_flag|
🚩 triangular_flag_on_post|🏳️‍🌈 rainbow_flag|🔔 bell|🔕 no_bell|🔇 mute|🔊 loud_sound|📣 mega|📢 loudspeaker`;

const ALL = TABLE.split("|").map((line) => {
  const [emoji, ...names] = line.trim().split(" ");
  return { emoji, names };
});

/** @returns {[string, string][]} the emoji whose name has the word, those that begin with it first */
export function search(word) {
  const wanted = word.toLowerCase();
  const found = ALL.flatMap(({ emoji, names }) => {
    const name = names.find((one) => one.startsWith(wanted)) ?? names.find((one) => one.includes(wanted));
    return name ? [{ emoji, name, first: name.startsWith(wanted) }] : [];
  });
  return found.sort((a, b) => b.first - a.first).map(({ emoji, name }) => [emoji, `:${name}:`]);
}

export const all = () => ALL.map(({ emoji, names }) => [emoji, names[0]]);
