// Emoji that people use, by the names that they know from elsewhere.

const TABLE = `👍 +1 thumbsup|❤️ heart|😂 joy|🎉 tada|👀 eyes|✅ white_check_mark done|🙏 pray thanks|🚀 rocket|😀 grinning|😃 smiley|😄 smile|😁 grin|😆 laughing satisfied|
😅 sweat_smile|🤣 rofl|🙂 slightly_smiling_face|🙃 upside_down_face|😉 wink|😊 blush|😇 innocent|🥰 smiling_face_with_three_hearts|
😍 heart_eyes smiling_face_with_heart_eyes|🤩 star_struck|😘 kissing_heart|😋 yum|😛 stuck_out_tongue|😜 stuck_out_tongue_winking_eye|🤪 zany_face|
🤑 money_mouth_face|🤗 hugs hugging_face|🤭 hand_over_mouth|🤫 shushing_face|🤔 thinking|🤐 zipper_mouth_face|🤨 raised_eyebrow|😐 neutral_face|
😑 expressionless|😶 no_mouth|😏 smirk|😒 unamused|🙄 roll_eyes|😬 grimacing|🤥 lying_face|😌 relieved|😔 pensive|😪 sleepy|😴 sleeping|😷 mask|
🤒 face_with_thermometer|🤕 face_with_head_bandage|🤢 nauseated_face|🤮 vomiting_face|🤧 sneezing_face|🥵 hot_face|🥶 cold_face|🥴 woozy_face|
😵 dizzy_face knocked_out_face|🤯 exploding_head|🤠 cowboy_hat_face|🥳 partying_face|😎 sunglasses|🤓 nerd_face|🧐 monocle_face|😕 confused|😟 worried|
🙁 slightly_frowning_face|😮 open_mouth|😯 hushed|😲 astonished|😳 flushed|🥺 pleading_face|😦 frowning|😧 anguished|😨 fearful|😰 cold_sweat|
😥 disappointed_relieved|😢 cry|😭 sob|😱 scream|😖 confounded|😣 persevere|😞 disappointed|😓 sweat|😩 weary|😫 tired_face|🥱 yawning_face|😤 triumph|😡 pout rage|
😠 angry|🤬 cursing_face|😈 smiling_imp|💀 skull|💩 shit poop|🤡 clown_face|👻 ghost|👽 alien|🤖 robot_face|😺 smiley_cat|😹 joy_cat|
🙈 see_no_evil see_no_evil_monkey|🙉 hear_no_evil hear_no_evil_monkey|🙊 speak_no_evil speak_no_evil_monkey|💔 broken_heart|💕 two_hearts|💖 sparkling_heart|
💙 blue_heart|💚 green_heart|💛 yellow_heart|🧡 orange_heart|💜 purple_heart|🖤 black_heart|💯 100|💢 anger|💥 boom|💫 dizzy|💦 sweat_drops|💨 dash|
💬 speech_balloon|💭 thought_balloon|💤 zzz|👋 wave|🖐️ raised_hand_with_fingers_splayed|✋ hand|🖖 raised_hand_with_part_between_middle_and_ring_fingers|
👌 ok_hand|🤏 pinching_hand|✌️ v|🤞 crossed_fingers|🤟 love_you_gesture|🤘 metal|🤙 call_me_hand|👈 point_left|👉 point_right|👆 point_up_2|👇 point_down|
☝️ point_up|👎 -1 thumbsdown|✊ fist fist_raised|👊 punch facepunch|👏 clap|🙌 raised_hands|👐 open_hands|🤝 handshake|✍️ writing_hand|💅 nail_care|💪 muscle|
🧠 brain|👶 baby|🧑 adult|👩 woman|👨 man|🤦 facepalm|🤷 shrug|🙇 bow|🙋 raising_hand|🏃 runner running|💃 dancer|🕺 man_dancing|👥 busts_in_silhouette|
🐵 monkey_face|🐶 dog|🐺 wolf|🦊 fox_face|🐱 cat|🦁 lion_face|🐯 tiger|🐴 horse|🦄 unicorn_face|🐮 cow|🐷 pig|🐭 mouse|🐹 hamster|🐰 rabbit|🐻 bear|🐼 panda_face|
🐨 koala|🐔 chicken|🐧 penguin|🐦 bird|🦆 duck|🦉 owl|🐸 frog|🐢 turtle|🐍 snake|🐉 dragon|🐳 whale|🐬 flipper|🐟 fish|🐙 octopus|🐌 snail|🦋 butterfly|🐛 bug|🐝 bee|
🐞 beetle|🕷️ spider|🌹 rose|🌻 sunflower|🌱 seedling|🌲 evergreen_tree|🌴 palm_tree|🌵 cactus|🍀 four_leaf_clover|🍁 maple_leaf|🍄 mushroom|🍎 apple|🍌 banana|
🍇 grapes|🍓 strawberry|🍒 cherries|🍑 peach|🍍 pineapple|🥑 avocado|🍅 tomato|🥕 carrot|🌽 corn|🌶️ hot_pepper|🍞 bread|🥐 croissant|🧀 cheese|🍳 egg fried_egg|
🥓 bacon|🍔 hamburger|🍟 fries|🍕 pizza|🌭 hotdog|🥪 sandwich|🌮 taco|🥗 green_salad|🍝 spaghetti|🍜 ramen|🍣 sushi|🍦 icecream|🍩 doughnut|🍪 cookie|🎂 birthday|
🍰 cake|🍫 chocolate_bar|🍬 candy|🍿 popcorn|☕ coffee|🍵 tea|🍺 beer|🍻 beers|🥂 clinking_glasses|🍷 wine_glass|🍸 cocktail|🍾 champagne|🧂 salt|
🌍 earth_africa globe_showing_europe_africa|🏔️ mountain_snow snow_capped_mountain|🏠 house|🏢 office|🏭 factory|🚑 ambulance|🚒 fire_engine|🚓 police_car|
🚗 car red_car|🚌 bus|🚲 bike|🚆 train2|✈️ airplane|🚢 ship|⛵ boat|🛑 stop_sign|🚧 construction|⏰ alarm_clock|⏳ hourglass_flowing_sand|⌛ hourglass|
🌙 crescent_moon|☀️ sunny|⭐ star|🌟 star2|☁️ cloud|⛈️ thunder_cloud_and_rain|🌧️ cloud_with_rain|❄️ snowflake|⛄ snowman|🔥 fire|💧 droplet|🌊 ocean|⚡ zap|
🌈 rainbow|🎃 jack_o_lantern|🎄 christmas_tree|🎆 fireworks|✨ sparkles|🎈 balloon|🎊 confetti_ball|🎁 gift|🏆 trophy|🥇 1st_place_medal|🥈 2nd_place_medal|
🥉 3rd_place_medal|⚽ soccer|🏀 basketball|🎯 dart|🎮 video_game|🎲 game_die|🧩 jigsaw|🎨 art|🎵 musical_note|🎶 notes|🎤 microphone|🎧 headphones|🎸 guitar|
🎬 clapper|💻 computer|🖥️ desktop_computer|⌨️ keyboard|🖨️ printer|💾 floppy_disk|💿 cd|📱 iphone|☎️ phone|🔋 battery|🔌 electric_plug|📷 camera|📺 tv|🔍 mag|
💡 bulb|🔦 flashlight|📖 book|📚 books|📝 pencil|✏️ pencil2|📎 paperclip|📌 pushpin|📍 round_pushpin|✂️ scissors|📁 file_folder|📂 open_file_folder|📅 date|
📈 chart_with_upwards_trend|📉 chart_with_downwards_trend|📊 bar_chart|📋 clipboard|📦 package|📧 email e_mail|📫 mailbox|🗑️ wastebasket|🔒 lock|🔓 unlock|
🔑 key|🔨 hammer|🛠️ hammer_and_wrench|⚙️ gear|🔧 wrench|🔗 link|🧪 test_tube|🧬 dna|🔬 microscope|🔭 telescope|📡 satellite|💊 pill|🩹 adhesive_bandage|🚪 door|
🪑 chair|🛒 shopping_cart|🚬 smoking|💰 moneybag|💸 money_with_wings|💳 credit_card|⚖️ scales|⚠️ warning|🚫 no_entry_sign|❌ x|⭕ o|❓ question|
❗ exclamation heavy_exclamation_mark|‼️ bangbang|➕ heavy_plus_sign|➖ heavy_minus_sign|➡️ arrow_right|⬅️ arrow_left|⬆️ arrow_up|⬇️ arrow_down|
🔄 arrows_counterclockwise|🔁 repeat|⏩ fast_forward fast_forward_button|⏸️ double_vertical_bar|▶️ arrow_forward|⏹️ black_square_for_stop|♻️ recycle|
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
