"""Versions of zchat that are broken on purpose, each in one place, and the tests that must notice.

A mutant says what it gets wrong, where, which words of that file are replaced (they stand there exactly once) by which,
and the tests that must fail for it. When code moves, its mutant moves with it: `test_mutants.py` says so at once. The
words are kept few, so that this is easy. More are in `tests/reliability`, which searches for a story that shows
them.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    """`file` is below `zchat/`, `tests` are what pytest calls node ids, below `tests/`."""

    wrong: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    def __str__(self) -> str:
        return self.wrong.replace(" ", "-")


HUB, STORE, CRASH = "broker/test_hub.py::test_", "broker/test_store.py::test_", "integration/test_crash.py"
ROOMS, OUTGOING, SESSION = (
    "client/test_rooms.py::test_",
    "client/test_outgoing.py::test_",
    "client/test_session.py::test_",
)
KEPT = (
    "reliability/test_reliability.py"
    "::test_all_that_the_log_keeps_is_kept_and_told_as_it_should_be_and_what_is_to_go_goes"
)
CARRIED = (
    "reliability/test_reliability.py"
    "::test_files_are_whole_and_there_as_long_as_a_message_carries_them_and_only_for_its_readers"
)
PICTURES = "reliability/test_reliability.py::test_whatever_is_done_to_messages_all_have_the_same_picture_of_each_room"
MENDING = "bots/test_mending.py::test_"
MENDED, GONE = "broker/test_mending.py::test_", "integration/test_deleted_is_gone.py::test_"
TERMINAL = "prompt/test_mending.py::test_"
HISTORY = "client/test_history.py::test_"
FILES = "broker/test_files.py::test_"
LATER, READ = "broker/test_later.py::test_", "broker/test_read_marks.py::test_"
STORIES = "fuzz/test_fuzz.py::test_a_few_hundred_stories_made_by_chance_end_well"
TOGETHER = "broker/test_together.py"
HOOKS = "gateways/hooks/test_hooks.py::test_"
FSYNC = "integration/test_fsync.py"
CLUSTER = "cluster/test_cluster.py::test_brokers_on_one_stream_lose_nothing_double_nothing_and_have_the_same_log"
DRIVER = "cluster/test_driver.py::test_"
ELSEWHERE, TOLD_ELSEWHERE = (
    "broker/test_elsewhere.py::test_",
    "broker/test_elsewhere_stories.py::test_all_brokers_come_to_the_same_rosters_and_their_feeds_tell_them",
)
MOVES = "broker/test_elsewhere_stories.py::test_nobody_is_told_of_moves_within_grace_also_from_brokers_that_die"
MEMBERS, MEANWHILE = "broker/test_members.py::test_", "broker/test_meanwhile.py::test_"
RETIRING = "broker/test_retiring.py::test_"
TABLE = "broker/test_permissions.py::test_everybody_may_do_what_the_table_says_and_nothing_else"
TOLD = "broker/test_stories.py::test_whatever_people_do_everybody_keeps_to_what_they_may"
UNSEEN = "broker/test_unseen.py::test_each_question_is_answered_as_if_the_room_were_not_there"
FULL_DISK = (
    "integration/test_protocol_full_disk.py::test_full_disk_puts_numbered_commands_off_and_service_resumes_by_itself"
)

MUTANTS = (
    # -- what is acknowledged is on the disk
    Mutant(
        "no fsync before the ack",
        "broker/store/opening.py",
        '"synchronous = FULL"',
        '"synchronous = OFF"',
        (FSYNC,),
    ),
    Mutant(
        "the fsync is left to the checkpoint",
        "broker/store/opening.py",
        '"synchronous = FULL"',
        '"synchronous = NORMAL"',
        (FSYNC,),
    ),
    Mutant(
        "each batch is written with the next one, after its acks",
        "broker/log/local.py",
        "self.store.write(entry.batch)",
        "self.late, late = entry.batch, getattr(self, 'late', None); late and self.store.write(late)",
        (CRASH, FSYNC),
    ),
    Mutant(
        "a full disk is not told to the sender",
        "broker/core/ledger.py",
        "Reply(peer, unavailable(command.n, command.ref, outcome.why))",
        "Reply(peer, m.Ack(n=command.n, ref=command.ref))",
        (HUB + "a_disk_that_is_full_takes_nothing_and_service_resumes_by_itself", FULL_DISK),
    ),
    Mutant(
        "numbers of a batch that failed count as taken",
        "broker/core/ledger.py",
        "producer.accepted = producer.committed",
        "pass",
        (HUB + "a_disk_that_is_full_takes_nothing_and_service_resumes_by_itself", STORIES),
    ),
    Mutant(
        "half of a batch that fails stays",
        "broker/store/store.py",
        'self.connection.execute("ROLLBACK")',
        'self.connection.execute("COMMIT")',
        (STORE + "a_batch_that_fails_leaves_no_trace",),
    ),
    # -- once, and in order
    Mutant(
        "which numbers were taken is forgotten at a restart",
        "broker/store/store.py",
        "ClientRecord(n=n,",
        "ClientRecord(n=0,",
        (HUB + "a_crash_forgets_who_was_here_but_nothing_that_was_acknowledged", CRASH),
    ),
    Mutant(
        "a number that was taken is taken again",
        "broker/core/ledger.py",
        "    if n == expected:",
        "    if n <= expected:",
        (HUB + "a_number_taken_before_is_answered_again_and_not_stored_twice",),
    ),
    Mutant(
        "a number that comes too early is taken",
        "broker/core/ledger.py",
        "    if n == expected:",
        "    if n >= expected:",
        ("protocol/test_vectors.py",),
    ),
    Mutant(
        "a once key is forgotten",
        "broker/core/applying.py",
        "(seq := self._once(from_, command.once, batch.head + 1)):",
        "(seq := self._once(from_, command.once, batch.head + 1)) and False:",
        (STORE + "once_holds_for_seven_days_for_each_sender_also_within_a_batch",),
    ),
    Mutant(
        "a refusal is not written down",
        "broker/core/applying.py",
        "batch.answers.append((client, commands[0].n, wire.encode(draft.answer).decode()))",
        "pass",
        (HUB + "a_refusal_takes_its_number_and_is_repeated_also_after_a_crash",),
    ),
    Mutant(
        "a room's own word about retention is not asked for again",
        "broker/core/applying.py",
        "keep = self.members.keeps(draft.room, keep)",
        "pass",
        (RETIRING + "a_room_says_for_itself_for_how_long_and_the_newest_word_counts",),
    ),
    Mutant(
        "what is kept still is retired with the rest",
        "broker/store/retiring.py",
        "AND first <= ? AND time < ? ORDER",
        "AND first <= ? AND (time < ? OR 1) ORDER",
        (RETIRING + "a_room_says_for_itself_for_how_long_and_the_newest_word_counts",),
    ),
    Mutant(
        "the id of a chunk that is gone is used again",
        "broker/store/store.py",
        "VALUES (?1, ?1, ?2",
        "VALUES (NULL, ?1, ?2",
        (RETIRING + "a_step_is_bounded_and_the_index_goes_on",),
    ),
    Mutant(
        "what people wrote acts in an export",
        "cli/page.py",
        "return html.escape(escape_controls(text",
        "return (escape_controls(text",
        ("cli/test_page.py::test_what_people_wrote_is_never_more_than_text",),
    ),
    Mutant(
        "prev is one too low",
        "broker/core/applying.py",
        "self.rooms[name] = known[0], seq",
        "self.rooms[name] = known[0], seq - 1",
        ("protocol/test_vectors.py", STORIES),
    ),
    Mutant(
        "the seq of a topic is used again",
        "broker/core/applying.py",
        "batch.head + 1, batch.head + len(commands)",
        "batch.head + 1, batch.head + len(commands) * (kind.command is not m.SetTopic)",
        (STORIES,),
    ),
    Mutant(
        "prev of what is said together stands still",
        "protocol/messages/kinds/message.py",
        "        prev = seq\n",
        "",
        (TOGETHER, STORIES),
    ),
    Mutant(
        "in what is said together a number may be left out",
        "broker/core/speech.py",
        " or command.n != n or ",
        " or ",
        (TOGETHER,),
    ),
    Mutant(
        "in what is said together a wrong address is overlooked",
        "broker/core/speech.py",
        "command.to is not None or command.once",
        "command.once",
        (TOGETHER,),
    ),
    Mutant(
        "in what is said together a once key is overlooked",
        "broker/core/speech.py",
        "command.once is not None or ",
        "",
        (TOGETHER,),
    ),
    # -- who listens hears it, who asks is answered
    Mutant(
        "one publication in some is dropped",
        "broker/gathering.py",
        "self.public[wire.room_topic(publish.room)] += publish.lines",
        "self.public[wire.room_topic(publish.room)] += [line for line in publish.lines if sum(line) % 8]",
        (STORIES,),
    ),
    Mutant(
        "one reply in some is dropped",
        "broker/gathering.py",
        "self.outgoing[peer] += lines",
        "self.outgoing[peer] += [line for line in lines if sum(line) % 16]",
        (STORIES,),
    ),
    Mutant(
        "what waits behind a query leaves before its answer",
        "broker/gathering.py",
        "self._waiting.get(peer)",
        "None",
        (HUB + "what_waits_behind_a_query_leaves_after_its_answer", STORIES),
    ),
    Mutant(
        "a page of history says that it is the last",
        "broker/store/reader.py",
        "last if more else head, more)",
        "head, False)",
        (HUB + "history_pages_forward_and_backward",),
    ),
    Mutant(
        "as many commands as lines are taken for one a line",
        "protocol/wire.py",
        'payload.count(b"}\\n{") == lines - 1 and len(',
        "len(",
        (
            "protocol/test_wire.py::test_two_commands_in_a_line_are_an_error_also_if_there_are_as_many_commands_as_lines",
        ),
    ),
    Mutant(
        "two commands in a line are two",
        "protocol/wire.py",
        "_commands.decode_lines(payload)) == lines:",
        "_commands.decode_lines(payload)) >= lines:",
        (
            "protocol/test_wire.py::test_two_commands_in_a_line_are_an_error_also_if_there_are_as_many_commands_as_lines",
        ),
    ),
    # -- who is here
    Mutant(
        "who looks like another is let in",
        "broker/core/presence.py",
        "if other is None:",
        "if True:",
        (HUB + "a_nick_may_look_like_ones_own",),
    ),
    Mutant(
        "the silent are never dropped",
        "broker/core/roster.py",
        "if peer.heard < since",
        "if False",
        (HUB + "the_silent_are_dropped_and_their_nick_is_free", STORIES),
    ),
    Mutant(
        "after a stall of the broker its clients are blamed",
        "broker/core/hub.py",
        "            self._pardon = now",
        "            pass",
        (HUB + "after_a_stall_of_the_brokers_own_everyone_has_a_new_grace",),
    ),
    Mutant(
        "who is taken over is not told",
        "broker/core/entrance.py",
        'effects.append(Reply(session.peer.id, m.Bye(reason="replaced")))',
        "pass",
        (HUB + "a_session_moves_to_the_connection_that_says_hello_with_its_client_or_token",),
    ),
    Mutant(
        "of a conversation whose nick is somebody else's now no head is told",
        "broker/core/talks.py",
        'nick = f"{nick}/{from_}"',
        "continue",
        ("broker/test_conversations.py::test_the_conversation_with_the_one_before_can_be_read_and_its_head_is_told",),
    ),
    Mutant(
        "what was said for later is told again and again",
        "broker/core/noting.py",
        "batch.later[id_] = None",
        "pass",
        (f"{LATER}it_is_kept_now_and_said_then", KEPT),
    ),
    Mutant(
        "what was said for later is told before its time",
        "broker/core/noting.py",
        "found is None or found[0] > batch.time",
        "found is None",
        (
            "cluster/test_stream.py::"
            "test_what_was_said_for_later_is_told_once_whoever_drafts_it_and_not_before_its_time",
        ),
    ),
    Mutant(
        "who is muted speaks as a guest by the same user of the machine",
        "broker/core/rights.py",
        "(from_,) if own is None or own.from_ == from_ else (from_, own.from_)",
        "(from_,)",
        (MEMBERS + "who_is_muted_or_banned_is_so_too_as_a_guest_by_the_same_user_of_the_machine",),
    ),
    Mutant(
        "who is muted has still said for later what was said before",
        "broker/core/noting.py",
        "check_speech(members, draft.from_, draft.room, wall, draft.credential)",
        "pass",
        (f"{LATER}who_may_not_speak_then_says_nothing", f"{LATER}who_was_let_out_of_the_room_says_nothing_there"),
    ),
    Mutant(
        "what is said for later has the nick of before",
        "broker/core/noting.py",
        "due.nick if member is None else member.nick",
        "draft.nick",
        (f"{LATER}it_has_the_nick_of_then",),
    ),
    Mutant(
        "everybody takes back what anybody has said for later",
        "broker/core/noting.py",
        "decode(found[1]).from_ != draft.from_",
        "False",
        (f"{LATER}it_is_taken_back_by_whoever_has_said_it_and_from_any_device", KEPT),
    ),
    Mutant(
        "read marks go back",
        "broker/core/noting.py",
        "through <= before",
        "through < 0",
        (f"{READ}a_mark_only_goes_forward_and_never_beyond_the_head", KEPT),
    ),
    Mutant(
        "what was read on one device is told to no other",
        "broker/core/reading.py",
        "return [Send(peers, [wire.encode(event)])] if peers else []",
        "return []",
        (KEPT,),
    ),
    Mutant(
        "what was taken back is said",
        "broker/core/noting.py",
        "    _remove(kept, batch, id_, found[1])\n    return",
        "    return",
        (KEPT, f"{LATER}it_is_taken_back_by_whoever_has_said_it_and_from_any_device"),
    ),
    Mutant(
        "the texts of later edits stay when their message retires",
        "broker/store/retiring.py",
        "    bury_all(connection, place, edits)",
        "    pass",
        (KEPT, RETIRING + "a_message_takes_the_texts_of_its_later_edits_with_it"),
    ),
    Mutant(
        "what is to go of a room is looked for in another one",
        "broker/store/retiring.py",
        "FROM chunk WHERE room = ? AND first <= ?",
        "FROM chunk WHERE ?1 AND first <= ?2",
        (KEPT,),
    ),
    Mutant(
        "what was done to a direct message comes to one end alone",
        "broker/core/settling.py",
        "in {one: two, two: one}.items():",
        "in {one: two}.items():",
        (KEPT,),
    ),
    Mutant(
        "read marks go beyond the head",
        "broker/core/noting.py",
        'min(cast("m.MarkRead", draft.commands[0]).seq, head)',
        'cast("m.MarkRead", draft.commands[0]).seq',
        (f"{READ}a_mark_only_goes_forward_and_never_beyond_the_head",),
    ),
    Mutant(
        "a mark tells that there is a private room",
        "broker/core/rights.py",
        "    if room is not None and not members.sees(from_, room):\n        raise no_such_room(room)\n",
        "",
        (f"{READ}what_cannot_be_read_is_refused_like_elsewhere",),
    ),
    Mutant(
        "who connects again begins with a full rate",
        "broker/core/budget.py",
        "granted = self._newcomers.take(lines, now) if now < new_until else lines",
        "granted = lines",
        ("broker/test_budget.py::test_who_connects_again_and_again_has_one_rate_not_many",),
    ),
    Mutant(
        "who does not read is answered on and on",
        "broker/answering.py",
        "and self._connections.unread(query.peer) > WINDOW",
        "and False",
        ("broker/test_connections.py::test_who_does_not_read_is_answered_no_more_and_the_others_are_served",),
    ),
    Mutant(
        "what has just come in is taken for a message without an end",
        "broker/connections.py",
        "if read > since:",
        "if read:",
        (
            "broker/test_connections.py::test_what_came_in_while_the_loop_was_busy_is_not_taken_for_a_message_without_an_end",
        ),
    ),
    Mutant(
        "all that somebody ever sent is taken for one message",
        "broker/connections.py",
        "known.looked, known.received = now, received",
        "known.looked = now",
        ("broker/test_connections.py::test_who_is_silent_after_much_that_was_whole_sends_no_message_without_an_end",),
    ),
    Mutant(
        "a peer has no rate",
        "broker/core/budget.py",
        "taken = min(most, max(0, int(self.tokens)))",
        "taken = most",
        (HUB + "the_rate_bounds_every_line_also_mistakes_and_bursts_are_twice_it",),
    ),
    Mutant(
        "a direct message is for all to hear",
        "broker/core/settling.py",
        "return [*(Deliver(draft.peer, ack) for ack in acks), *(",
        'return [Publish(draft.peer, acks, "general", lines), *(',
        (HUB + "direct_messages_reach_both_ends_and_never_the_feed",),
    ),
    # -- the client
    Mutant(
        "a client takes an event whatever went before it",
        "client/core/room.py",
        "event.prev > cursor or event.seq <= cursor",
        "event.seq <= cursor",
        (ROOMS + "a_gap_is_asked_for_and_what_comes_meanwhile_is_held_back",),
    ),
    Mutant(
        "a client shows repeats",
        "client/core/room.py",
        "event.prev > cursor or event.seq <= cursor",
        "event.prev > cursor",
        (ROOMS + "repeats_are_dropped",),
    ),
    Mutant(
        "a client takes what is older than a backlog for what it misses",
        "client/core/room.py",
        "forwards and reply.more",
        "reply.more",
        (ROOMS + "a_join_with_a_backlog_asks_for_no_page_though_there_are_older_ones",),
    ),
    Mutant(
        "a client does not look at the heads",
        "client/core/room.py",
        "if ahead and self._ahead == cursor:",
        "if False:",
        (ROOMS + "a_head_still_ahead_at_the_next_pong_is_a_gap",),
    ),
    Mutant(
        "a client sends nothing again after it was cut off",
        "client/core/numbered.py",
        "        self._go_back(self.settled + 1)\n        return True\n\n    def forget_above",
        "        return True\n\n    def forget_above",
        (OUTGOING + "after_a_reconnect_all_that_is_unanswered_is_sent_again_in_order",),
    ),
    Mutant(
        "a client keeps its cursors in another log",
        "client/core/history.py",
        "            shared = 0\n",
        "            pass\n",
        (SESSION + "another_log_drops_the_cursors",),
    ),
    # -- a log that goes back
    Mutant(
        "a client ignores epochs",
        "client/core/history.py",
        "shared = welcome.shared if self.epochs and welcome.epochs else None",
        "shared = None",
        (HISTORY + "a_room_goes_on_from_where_its_history_parts_and_that_is_said",),
    ),
    Mutant(
        "a broker says that any history is its own",
        "broker/core/greeting.py",
        "shared=self.epochs.shared(hello.epochs or ()),",
        "shared=None,",
        ("broker/test_epochs.py::test_a_broker_tells_its_epochs_and_where_they_leave_those_of_a_hello",),
    ),
    Mutant(
        "a broker forgets when it was started",
        "broker/log/stored.py",
        "entry.batch.epoch = self._epoch",
        "pass",
        ("broker/test_epochs.py::test_each_start_in_which_something_was_stored_is_an_epoch_of_the_log",),
    ),
    Mutant(
        "numbers that were given anew hold in any log",
        "client/core/outgoing.py",
        "shared >= self.numbered.since",
        "True",
        (HISTORY + "numbers_that_were_given_anew_mean_nothing_to_the_log_that_comes_back_after_all",),
    ),
    # -- several brokers on one stream
    Mutant(
        "what is said is acknowledged when it is published",
        "broker/sharing.py",
        "refused = self.log.append(drafts, self._times[1], lambda outcomes: self._settled(taken, outcomes))",
        "from .core.effects import Claimed, Draft, Stored\n"
        "            refused = ()\n"
        "            waits = deque(item for item in items if type(item.effect) is not Draft)\n"
        "            self.log.append([item.effect for item in waits], self._times[1],"
        " lambda outcomes: self._settled(waits, outcomes))\n"
        "            said = [item for item in items if type(item.effect) is Draft]\n"
        "            self.log.append([item.effect for item in said], self._times[1], lambda outcomes: None)\n"
        "            self._settled(deque(said),"
        ' [Stored(self.hub.head + 1, [b\'{"type":""}\'] * len(one.effect.commands)) for one in said])',
        (CLUSTER,),
    ),
    Mutant(
        "a hello is answered before its claim has come back",
        "broker/sharing.py",
        "                self._new.append(item)\n",
        "                self._new.append(item if type(effect) is not Claim else Item(effect))\n"
        "                if type(effect) is Claim:\n"
        "                    from .core.effects import Claimed\n"
        "                    item.done, item.outcome = True, Claimed()\n"
        "                    self._drain(line)\n",
        (CLUSTER,),
    ),
    Mutant(
        "a message that comes again is applied again",
        "broker/log/stream.py",
        "            if seq <= self.applied.seq:\n",
        "            if False:\n",
        (CLUSTER,),
    ),
    Mutant(
        "two messages change places at one broker",
        "broker/log/stream.py",
        "        for seq, payload in messages:\n",
        "        if self.name == 'b' and len(messages) > 1:\n"
        "            (one, first), (two, second), *rest = messages\n"
        "            messages = [(one, second), (two, first), *rest]\n"
        "        for seq, payload in messages:\n",
        (CLUSTER,),
    ),
    Mutant(
        "two drafts change places at one broker",
        "broker/log/stream.py",
        "        for draft in post.drafts:\n",
        "        for draft in post.drafts if self.name != 'b' else post.drafts[::-1]:\n",
        (CLUSTER,),
    ),
    Mutant(
        "a post counts although one before it is missing",
        "broker/core/cluster.py",
        "post.k != known.k + 1",
        "post.k <= known.k",
        (CLUSTER,),
    ),
    Mutant(
        "a hole is never filled",
        "broker/log/posting.py",
        "        for sent in self._sent.values():\n            self._publish(sent.payload)\n",
        "        return\n",
        (CLUSTER,),
    ),
    Mutant(
        "nobody looks at what brokers had read when they wrote",
        "broker/log/stream.py",
        "            if isinstance(message, Post) and (wrong :=",
        "            if False and (wrong :=",
        ("cluster/test_stream.py::test_a_broker_that_has_read_something_else_at_a_place_is_told_from_its_posts",),
    ),
    Mutant(
        "who does not believe the stream goes on with it",
        "broker/log/stream.py",
        "        if self.broken is not None or all(",
        "        if all(",
        ("cluster/test_stream.py::test_and_from_what_it_says_beside_the_stream",),
    ),
    Mutant(
        "what a full disk has undone stays in memory",
        "broker/log/stream.py",
        "            self._undo(error)\n",
        "            self.trouble, self._stale = error, False\n",
        (CLUSTER,),
    ),
    Mutant(
        "claims are forgotten when a broker starts again",
        "broker/log/stream.py",
        "self._replica.epochs(), self._replica.claims())",
        "self._replica.epochs(), {})",
        (CLUSTER,),
    ),
    Mutant(
        "claims outlive the broker that was given up",
        "broker/core/cluster.py",
        "        self._free_all(gone.broker)\n",
        "",
        ("cluster/test_stream.py::test_who_stops_says_that_it_goes_and_begins_no_other_epoch",),
    ),
    Mutant(
        "a hello that its client has given up ends its session elsewhere",
        "broker/core/cluster.py",
        "at != broker and claim.seen < held.place",
        "False",
        (
            "cluster/test_sharing.py::"
            "test_a_hello_that_was_given_up_does_not_end_the_session_at_the_broker_to_which_its_client_went_on",
        ),
    ),
    Mutant(
        "whoever leaves is never released",
        "broker/sharing.py",
        "                    self._new += map(Item, claiming.releases())\n",
        "                    claiming.releases()\n",
        (CLUSTER,),
    ),
    Mutant(
        "whoever is cut off judges the others",
        "broker/core/leases.py",
        "        if now - self._echo > self._gap:\n            return []",
        "        if False:\n            return []",
        (CLUSTER,),
    ),
    Mutant(
        "the log's clock goes back",
        "broker/log/stream.py",
        "wall = max(self.applied.time, post.wall)",
        "wall = post.wall",
        (CLUSTER,),
    ),
    Mutant(
        "a ping waits for what was said before it",
        "broker/sharing.py",
        "            return not line.comes\n",
        "            return False\n",
        (CLUSTER,),
    ),
    Mutant(
        "a hello waits until something is stored, however long",
        "broker/sharing.py",
        "PATIENCE = 4.0 ",
        "PATIENCE = 500.0 ",
        (CLUSTER,),
    ),
    Mutant(
        "who waits for a draft has all others wait",
        "broker/sharing.py",
        "            line = self._lines.get(peer)\n            if line is not None and not",
        "            line = next(iter(self._lines.values()), None)\n            if line is not None and not",
        (CLUSTER,),
    ),
    # -- who is at other brokers
    Mutant(
        "who moves to another broker leaves its rooms",
        "broker/core/afar.py",
        "_let_linger(marks, author, old - new - left.keys())",
        "pass",
        (ELSEWHERE + "a_broker_that_dies_takes_nobody_along_for_grace", MOVES),
    ),
    Mutant(
        "who leaves on purpose lingers at other brokers",
        "broker/core/afar.py",
        "            far.lingering.pop(name, None)",
        "            pass",
        (ELSEWHERE + "who_leaves_on_purpose_after_a_move_lingers_nowhere",),
    ),
    Mutant(
        "who lingers never goes",
        "broker/core/afar.py",
        "if until <= marks.now",
        "if until < 0",
        (ELSEWHERE + "who_moves_and_does_not_come_back_to_a_room_has_left_it_after_grace", TOLD_ELSEWHERE),
    ),
    Mutant(
        "those of a broker that lost its epoch leave their rooms",
        "broker/core/elsewhere.py",
        "            afar.linger(self._roster, session)",
        "            pass",
        (ELSEWHERE + "a_broker_that_lost_its_epoch_tells_its_own_nothing_of_who_comes_again",),
    ),
    Mutant(
        "a broker takes its dead along",
        "broker/core/elsewhere.py",
        "        return self._keep(broker, other, set())",
        "        return []",
        (ELSEWHERE + "a_broker_that_dies_takes_nobody_along_for_grace", TOLD_ELSEWHERE),
    ),
    Mutant(
        "what an ended epoch told is believed",
        "broker/core/elsewhere.py",
        "if told.epoch <= self._over.get(told.broker, 0):",
        "if False:",
        (ELSEWHERE + "what_an_ended_epoch_told_is_not_believed",),
    ),
    Mutant(
        "revisions come in any order",
        "broker/core/elsewhere.py",
        "told.revision == other.revision + 1",
        "told.revision > other.revision",
        (TOLD_ELSEWHERE,),
    ),
    Mutant(
        "what is older than a part of everybody is taken after it",
        "broker/core/elsewhere.py",
        " and told.revision > other.snapshot",
        "",
        (ELSEWHERE + "what_is_older_than_a_part_of_a_snapshot_is_not_taken_after_it",),
    ),
    Mutant(
        "nobody asks for what was lost",
        "broker/core/elsewhere.py",
        "if other.revision < other.latest and",
        "if False and",
        (ELSEWHERE + "what_was_lost_is_asked_for", TOLD_ELSEWHERE),
    ),
    Mutant(
        "a snapshot is asked for once",
        "broker/core/elsewhere.py",
        "other.asked = now\n",
        "other.asked = 1e9\n",
        (ELSEWHERE + "a_lost_snapshot_is_asked_for_again",),
    ),
    Mutant(
        "a nick is in a roster twice",
        "broker/core/roster.py",
        " and not self.nicks.has_lost(author)",
        "",
        (ELSEWHERE + "who_lingers_yields_its_nick_to_who_has_taken_it", TOLD_ELSEWHERE),
    ),
    Mutant(
        "who is only elsewhere takes a nick",
        "broker/core/presence.py",
        "roster.nicks.here(nick) not in",
        "roster.nicks.named(nick) not in",
        (ELSEWHERE + "who_is_only_elsewhere_takes_nobodys_nick_once_the_claim_is_back",),
    ),
    Mutant(
        "the first word of whether somebody is away holds",
        "broker/core/afar.py",
        "latest, text = max(told",
        "latest, text = min(told",
        (ELSEWHERE + "away_is_of_the_author_at_whatever_broker_it_is_said", TOLD_ELSEWHERE),
    ),
    Mutant(
        "what a broker tells of a role is believed before the log",
        "broker/core/afar.py",
        "return record.role if member is None else member.role",
        "return record.role",
        (ELSEWHERE + "the_log_knows_role_and_nick_of_a_member_better_than_what_is_told_beside_it",),
    ),
    Mutant(
        "a direct message finds only whom a broker has told of",
        "broker/core/speech.py",
        "if claims is not None and (guest",
        "if False and (guest",
        (ELSEWHERE + "a_direct_message_finds_a_guest_also_while_it_moves_and_before_its_broker_has_told",),
    ),
    Mutant(
        "who moves is not found by its nick",
        "broker/core/afar.py",
        "record.rooms | {NICK}",
        "record.rooms",
        (ELSEWHERE + "a_direct_message_finds_a_guest_also_while_it_moves_and_before_its_broker_has_told",),
    ),
    # -- a broker and the engine of its cluster
    Mutant(
        "what does not come back is not published again",
        "broker/cluster/publishing.py",
        "        if now - self._tried >= self._pace.again:\n",
        "        if False:\n",
        (DRIVER + "what_is_published_counts_once_whatever_becomes_of_it",),
    ),
    Mutant(
        "who doubts the stream publishes to it",
        "broker/cluster/publishing.py",
        "        if self.halted:\n            return\n",
        "",
        (DRIVER + "who_may_have_been_overtaken_is_not_believed",),
    ),
    Mutant(
        "who doubts the stream looks again only in silence",
        "broker/cluster/looking.py",
        " or self._publishing.halted",
        "",
        (DRIVER + "a_broker_that_has_doubted_the_stream_goes_on_while_others_talk",),
    ),
    Mutant(
        "a hole is not read",
        "broker/cluster/reading.py",
        "not self.stuck:\n            self.fetch()",
        "not self.stuck:\n            pass",
        (DRIVER + "holes_and_silence_are_filled_by_reading",),
    ),
    Mutant(
        "what another broker has applied does not count",
        "broker/cluster/terms.py",
        "more > stream.last",
        "False",
        (DRIVER + "who_had_applied_less_takes_a_copy_after_a_restore", "cluster/test_terms.py"),
    ),
    Mutant(
        "a copy replaces any log",
        "broker/cluster/copying.py",
        "if mine is not None and",
        "if False and",
        (DRIVER + "a_log_that_is_no_beginning_of_the_copy_is_kept",),
    ),
    Mutant(
        "a message of another term is heard",
        "broker/cluster/engine.py",
        "for each in found if each.subject == subject]",
        "for each in found]",
        ("cluster/test_engine.py::test_a_term_continues_the_places_of_its_parent_and_hears_nothing_of_it",),
    ),
    Mutant(
        "sessions outlive the epoch of their broker",
        "broker/cluster/membership.py",
        '            self._pipeline.remove(peer, "timeout")',
        "            pass",
        ("cluster/test_server.py::test_a_broker_that_was_given_up_begins_anew_and_its_people_come_again",),
    ),
    Mutant(
        "history is told before it is here",
        "broker/answering.py",
        "query.after <= self._log.head:",
        "True:",
        ("cluster/test_server.py::test_a_question_for_what_others_have_shown_waits_until_it_is_here",),
    ),
    # -- who may what
    Mutant(
        "the log does not look again after a ban",
        "broker/core/applying.py",
        "if draft.chain != self.members.head and (error :=",
        "if False and (error :=",
        (MEANWHILE + "a_ban_that_is_being_written_refuses_what_is_said_meanwhile",),
    ),
    Mutant(
        "what is said in a private room is published",
        "broker/core/settling.py",
        "        if room.sessions is not None:",
        "        if False:",
        (
            MEMBERS + "what_is_said_in_a_private_room_goes_to_those_who_are_in_it_and_never_to_the_feed",
            TOLD,
        ),
    ),
    Mutant(
        "who comes into a private room is published",
        "broker/core/announcing.py",
        "    if room.sessions is None:",
        "    if True:",
        (
            MEMBERS + "what_is_said_in_a_private_room_goes_to_those_who_are_in_it_and_never_to_the_feed",
            TOLD,
        ),
    ),
    Mutant(
        "who was expelled is told who comes",
        "broker/core/announcing.py",
        " if roster.shows(each, room.name)]",
        "]",
        (MEANWHILE + "no_answer_tells_of_a_private_room_that_the_asker_has_lost_meanwhile",),
    ),
    Mutant(
        "the roster of a private room is told to who was expelled",
        "broker/core/roster.py",
        "member.from_ != session.author.from_ or not self.members.sees(member.from_, room)",
        "False",
        (MEANWHILE + "no_answer_tells_of_a_private_room_that_the_asker_has_lost_meanwhile",),
    ),
    Mutant(
        "a page that was asked for before an expulsion is given",
        "broker/core/queries.py",
        "if query.room is not None and not members.sees(from_, query.room):",
        "if False:",
        (MEANWHILE + "no_answer_tells_of_a_private_room_that_the_asker_has_lost_meanwhile",),
    ),
    Mutant(
        "an invitation is not used up",
        "broker/core/members.py",
        "left=max(0, found.left - 1)",
        "left=found.left",
        (MEMBERS + "an_invitation_lets_in_as_often_as_it_says_until_it_expires_or_is_revoked",),
    ),
    Mutant(
        "an invitation of who was banned lets in",
        "broker/core/rights.py",
        'return members.ban("", wall, inviter.from_) is None and may(',
        "return may(",
        (MEANWHILE + "who_was_banned_lets_nobody_in_any_more_also_by_an_invitation_of_before",),
    ),
    Mutant(
        "the last owner can be unmade",
        "broker/core/administration.py",
        "if known.role == OWNER and command.role != OWNER and not members.other_owners(known.from_, wall):",
        "if False:",
        (
            MEMBERS + "a_moderator_cannot_act_against_an_owner_and_the_last_owner_stays",
            MEANWHILE + "an_owner_who_can_come_in_remains",
        ),
    ),
    Mutant(
        "a banned owner counts as one who remains",
        "broker/core/members.py",
        "return any(not self.is_banned(credential, wall) for one in owners for credential in one.credentials)",
        "return any(owners)",
        (MEANWHILE + "an_owner_who_can_come_in_remains",),
    ),
    Mutant(
        "a search is for all private rooms",
        "broker/core/queries.py",
        "        nick=command.nick,\n        limit=command.limit,\n        asker=session.author.from_,\n"
        "        visible=frozenset(roster.members.private_rooms(session.author.from_)),\n",
        "        nick=command.nick,\n        limit=command.limit,\n        asker=session.author.from_,\n"
        "        visible=frozenset(roster.members.rooms),\n",
        (UNSEEN,),
    ),
    Mutant(
        "a removed device is still the member's",
        "broker/core/members.py",
        '            self._by_credential.pop(event.credential or "", None)\n',
        "            pass\n",
        (MEMBERS + "a_removed_device_is_cut_and_is_nobody_any_more",),
    ),
    Mutant(
        "a removed device goes on speaking",
        "broker/core/rights.py",
        '        raise Refused("not_member", "this device was removed from its member")',
        "        pass",
        (MEANWHILE + "a_device_that_is_being_removed_says_nothing_more",),
    ),
    Mutant(
        "a guest may take a member's nick",
        "broker/core/rights.py",
        "if members.named(shown, wall) not in (None, from_):",
        "if False:",
        (
            MEMBERS + "a_members_nick_stays_its_own_while_it_is_away_and_thirty_days_after_it_took_another",
            TABLE,
        ),
    ),
    Mutant(
        "a guest may take the nick that a member is given now",
        "broker/core/nicks.py",
        "            if names.nick_key(claimed) == names.nick_key(nick):",
        "            if False:",
        (MEANWHILE + "a_guest_does_not_take_the_nick_of_a_member_whom_the_log_is_making",),
    ),
    Mutant(
        "a moderator may act against an owner",
        "protocol/policy.py",
        "not (rule.aimed and RANKS[target] > RANKS[role])",
        "True",
        (MEMBERS + "a_moderator_cannot_act_against_an_owner_and_the_last_owner_stays",),
    ),
    Mutant(
        "who was not let into a room may mute there",
        "broker/core/administration.py",
        "if name is not None and not members.sees(change.from_, name):",
        "if False:",
        (TABLE,),
    ),
    Mutant(
        "a mute of one room is none",
        "broker/core/members.py",
        'for where in ("", room):',
        'for where in ("",):',
        (MEMBERS + "a_ban_and_a_mute_end_when_they_say",),
    ),
    Mutant(
        "rosters are told out of order",
        "broker/core/effects.py",
        "[*now, Afterwards(later)]",
        "[*now, *later]",
        (MEANWHILE + "rosters_are_told_in_the_order_of_their_revisions",),
    ),
    Mutant(
        "only moderators are told who may speak in a room",
        "broker/core/moderation.py",
        "    if event.change in OF_A_ROOM and room in roster.rooms:",
        "    if False:",
        (
            "broker/test_members.py::test_all_who_are_in_a_room_are_told_who_speaks_there_and_how_long_it_keeps_what_is_said",
        ),
    ),
    Mutant(
        "an invitation is a password in IRC",
        "gateways/irc/coming_in.py",
        "        if own or await has_other_devices(person):",
        "        if True:",
        ("gateways/irc/test_bounds.py::test_an_invitation_for_several_is_the_password_of_none_of_them",),
    ),
    Mutant(
        "the audit names all private rooms",
        "broker/core/moderation.py",
        "    if visible.issuperset(hidden):",
        "    if True:",
        (UNSEEN,),
    ),
    Mutant(
        "in a log of before all numbers are forgotten",
        "broker/store/batch.py",
        "producer or event.from_",
        "producer",
        ("broker/test_old_logs.py::test_guests_stay_who_they_were_with_their_numbers_answers_and_keys",),
    ),
    # -- what is done to messages
    Mutant(
        "a fold forgets that a deleted answer counts no more",
        "protocol/messages/kinds/delete.py",
        "root.answers.discard(event.target)",
        "pass",
        ("prompt/test_said.py::test_what_is_kept_is_as_it_is_now",),
    ),
    Mutant(
        "a fold forgets edits",
        "protocol/messages/kinds/edit.py",
        "item.text, item.edited = event.text, event.time",
        "pass",
        (PICTURES, "client/test_messages.py::test_the_synchronous_client_can_do_the_same"),
    ),
    Mutant(
        "a bot runs an edited command again",
        "bots/definition.py",
        "if command is not None and command.handler.edited else []",
        "if command is not None else []",
        (MENDING + "a_command_that_is_edited_is_run_again_only_if_it_wants_that",),
    ),
    Mutant(
        "a bot that was away runs an edited command twice after a crash",
        "bots/handling.py",
        "each.handler.name), *edits]",
        "each.handler.name)]",
        (MENDING + "an_edit_whose_command_was_run_with_its_message_stays_so_after_a_crash",),
    ),
    Mutant(
        "what is to be done to a message that is gone is done to another one",
        "client/core/outgoing.py",
        "if self.numbered.name_nothing_above(shared) or others:",
        "if others:",
        (HISTORY + "what_is_to_be_done_to_a_message_that_is_gone_is_done_to_no_other",),
    ),
    # -- files
    Mutant(
        "the hash of an upload is not checked",
        "broker/files/folder.py",
        "hexdigest() == file\n        if not right",
        'hexdigest() != ""\n        if not right',
        (FILES + "what_has_another_hash_is_dropped", CARRIED),
    ),
    Mutant(
        "the hash of a download is not checked",
        "client/files.py",
        "            if not right:\n                aside",
        "            if False:\n                aside",
        ("client/test_files.py::test_what_a_broker_gives_instead_is_not_kept",),
    ),
    Mutant(
        "the page's server does not check the hash of a download",
        "gateways/web/files.py",
        "if sum_.hexdigest() != file or done != first.size",
        "if done != first.size",
        (
            "gateways/web/test_files.py"
            "::test_a_large_file_goes_through_in_parts_and_any_part_of_it_and_a_damaged_one_not",
        ),
    ),
    Mutant(
        "whoever knows its hash gets a file",
        "broker/core/files.py",
        "    return roster.shelf.uploaded(file, from_) or reads(roster, from_, file)",
        "    return True",
        (FILES + "what_one_may_not_read_is_as_what_is_not_there", TABLE),
    ),
    Mutant(
        "a file is given though one may not read it any more",
        "broker/core/files.py",
        "    return type(transfer.command) is m.Put or may_fetch(roster, from_, transfer.command.file)",
        "    return True",
        (FILES + "what_one_may_not_read_any_more_is_not_given_when_the_disk_is_ready",),
    ),
    Mutant(
        "whoever knows its hash says a file",
        "broker/core/files.py",
        "if may_fetch(roster, from_, one.file) else None",
        "if one.file else None",
        (FILES + "what_one_may_not_read_is_as_what_is_not_there", CARRIED),
    ),
    Mutant(
        "an upload is shortened by what others have",
        "broker/files/service.py",
        "            if transfer.readable or self.shelf.uploaded(command.file, transfer.asker):",
        "            if self.shelf.size(command.file) is not None:",
        (FILES + "what_one_may_not_read_is_as_what_is_not_there",),
    ),
    Mutant(
        "a part that comes too early is written",
        "broker/files/service.py",
        "if command.offset <= upload.have else b",
        "if True else b",
        (FILES + "an_upload_goes_on_where_it_broke_off_after_a_restart",),
    ),
    Mutant(
        "a file stays when its message is gone",
        "broker/files/service.py",
        "            for file in gone:\n                self._remove(file)",
        "            for file in gone:\n                pass",
        (FILES + "a_file_goes_with_the_last_message_that_carries_it",),
    ),
    Mutant(
        "a file goes with any message that carries it",
        "broker/files/shelf.py",
        "and not self._attached.wanted(file) and",
        "and",
        (CARRIED,),
    ),
    Mutant(
        "a file is there for its uploader alone",
        "broker/core/files.py",
        "return roster.shelf.uploaded(file, from_) or reads(roster, from_, file)",
        "return roster.shelf.uploaded(file, from_)",
        (CARRIED,),
    ),
    Mutant(
        "a name leads into another folder",
        "client/files.py",
        'name.replace("\\\\", "/").rstrip("/").rpartition("/")[2]',
        "name",
        ("client/test_files.py::test_a_name_leads_into_no_other_folder_and_hides_nothing",),
    ),
    Mutant(
        "an upload is done before other brokers have it",
        "broker/cluster/spreading.py",
        "        return kept >= most",
        "        return True",
        ("cluster/test_files.py::test_an_upload_is_not_done_while_too_few_brokers_have_it",),
    ),
    # -- what is done to messages
    Mutant(
        "a deleted text is left in the index",
        "broker/store/indexing.py",
        "if row is not None and line is not None:",
        "if False:",
        (GONE + "what_was_deleted_is_in_no_file_within_seconds", KEPT),
    ),
    Mutant(
        "the texts before an edit stay",
        "broker/store/mending.py",
        "        if forget:",
        "        if False:",
        (GONE + "the_texts_before_an_edit_go_where_a_broker_forgets_them", "broker/test_forgetting.py"),
    ),
    Mutant(
        "anybody edits what another has said",
        "broker/core/rights.py",
        'if kind.who == "speaker" or author',
        'if kind.who != "moderator" or author',
        (MENDED + "only_who_said_it_may_edit_or_delete_it", TABLE, KEPT),
    ),
    Mutant(
        "anybody deletes what another has said",
        "broker/core/rights.py",
        'need("delete", members.role(draft.from_))',
        "pass",
        (TABLE, KEPT),
    ),
    Mutant(
        "who may not read a message is told that it is there",
        "broker/core/speech.py",
        "place is None or not rights.reads(roster.members, from_, place)",
        "place is None",
        (TABLE,),
    ),
    Mutant(
        "a thread goes across rooms",
        "broker/core/applying.py",
        "line = self.state.line(known[0], seq)",
        "line = next(filter(None, (self.state.line(id_, seq) for id_ in range(-9, 10) if id_)), None)",
        (MENDED + "an_answer_is_to_something_in_the_same_place", KEPT),
    ),
    Mutant(
        "a tombstone keeps the text",
        "broker/store/mending.py",
        "lines[place] = wire.encode(m.tombstone(event, by or event.from_))",
        "lines[place] = wire.encode(m.tombstone(event, by or event.from_))[:-1] + line[line.index(b',\"text\"') :]",
        (MENDED + "what_is_deleted_leaves_a_tombstone_and_so_do_its_edits",),
    ),
    Mutant(
        "reactions survive a deletion",
        "broker/store/mending.py",
        "AND kind != 'answer'",
        "AND kind = 'edit'",
        (MENDED + "nothing_is_left_of_what_was_done_to_a_deleted_message",),
    ),
    Mutant(
        "of several edits the first one is taken for the last",
        "broker/store/mending.py",
        "AND key < ? ORDER BY key DESC LIMIT 1",
        "AND key < ? ORDER BY key LIMIT 1",
        ("broker/test_forgetting.py::test_of_many_texts_of_a_message_only_the_last_is_found",),
    ),
    Mutant(
        "what a batch has deleted can still be answered in it",
        "broker/core/applying.py",
        "(seq in self.batch.buried and self.threads)",
        "False",
        (MENDED + "what_is_done_in_one_batch_is_decided_one_after_the_other",),
    ),
    Mutant(
        "a deleted answer is counted",
        "broker/store/mending.py",
        "AND kind = 'answer' AND seq = ?",
        "AND kind = 'answer' AND seq = -?",
        (MENDED + "an_answer_that_was_deleted_counts_no_more_but_stays_in_its_thread",),
    ),
    Mutant(
        "of what was stored together all kinds are told",
        "broker/store/views.py",
        "if line.startswith(starts) and self",
        "if self",
        ("broker/test_views.py::test_of_what_was_stored_together_only_the_wanted_kinds_are_told_in_both_directions",),
    ),
    # -- what is told of messages at a terminal
    Mutant(
        "an edit that was told in an earlier run is told again",
        "prompt/mending.py",
        "if old and event.seq <= target.told:",
        "if False:",
        (TERMINAL + "of_history_nothing_is_told_that_an_earlier_run_has_told_and_nothing_rings",),
    ),
    Mutant(
        "each edit of a message that calls rings",
        "prompt/mending.py",
        "        self._calling.append(event.target)\n",
        "",
        (TERMINAL + "an_edit_that_mentions_one_for_the_first_time_rings_wherever_one_looks_and_once",),
    ),
    Mutant(
        "what those do whom one ignores is told",
        "prompt/mending.py",
        "self._output.ignores(event) or (before",
        "False or (before",
        (TERMINAL + "nothing_is_told_of_those_whom_one_ignores_nor_of_what_is_done_to_what_they_said",),
    ),
    Mutant(
        "what is looked up replaces what is known better",
        "prompt/recent.py",
        "both = older | self._picture",
        "both = self._picture | older",
        (
            "prompt/test_said.py::test_what_is_looked_up_changes_nothing_that_is_known_better_and_only_the_newest_are_kept",
        ),
    ),
    Mutant(
        "what was read of one bob is told of another",
        "prompt/reading.py",
        "with_=target.with_)",
        "with_=None)",
        ("prompt/test_reading.py::test_of_a_conversation_it_is_told_with_whom_it_is",),
    ),
    Mutant(
        "a long thread is shown without what it answers",
        "prompt/threads.py",
        "        events[:0] = filter(None, [await _standing(chat, root)])\n",
        "        pass\n",
        ("prompt/test_lookup.py::test_a_thread_is_shown_with_its_root_however_many_answers_it_has",),
    ),
    Mutant(
        "a hook is open to whoever has its address, in spite of a secret",
        "gateways/hooks/routes.py",
        "if hook.secret and not signatures",
        "if hook.secret and False and not signatures",
        (HOOKS + "only_who_knows_the_secret_is_heard",),
    ),
    Mutant(
        "what stands beside the signed part of a form counts as signed",
        "gateways/hooks/payloads/__init__.py",
        'or b"&" in body:',
        "or False:",
        ("gateways/hooks/test_pure.py::test_a_form_is_signed_as_a_whole_or_by_the_json_in_it",),
    ),
    Mutant(
        "a delivery that is tried again is said again",
        "gateways/hooks/routes.py",
        "return text, deliveries.key(hook.id, headers, body)",
        "return text, None",
        (HOOKS + "a_delivery_that_is_tried_again_is_said_once",),
    ),
    Mutant(
        "what its sender was told to send again is another message",
        "gateways/hooks/speakers.py",
        "self._owed.append(Owed(what, now, answer))",
        "pass",
        (HOOKS + "what_is_on_its_way_when_the_broker_hangs_is_said_once_without_a_key",),
    ),
    Mutant(
        "a body without an end is read to its end",
        "gateways/hooks/routes.py",
        "elif size > DRAINED:",
        "elif False:",
        (HOOKS + "a_gigabyte_costs_nothing",),
    ),
    Mutant(
        "an address with javascript is told as a link",
        "gateways/hooks/payloads/value.py",
        "and _LINK.fullmatch(found)",
        "and True",
        ("gateways/hooks/test_payloads.py::test_only_a_link_of_the_web_is_told",),
    ),
    # -- what is kept, and for how long
    Mutant(
        "a room in which nobody was yet tells nobody for how long it keeps what is said",
        "broker/core/moderation.py",
        '    "keep": _room_set,\n',
        "",
        ("broker/test_members.py::test_whoever_sees_a_room_may_ask_for_how_long_it_keeps_what_is_said",),
    ),
    Mutant(
        "guests of many addresses hold all places for uploads against members",
        "gateways/web/uploads.py",
        "if guests and not guest else None",
        "if False else None",
        ("gateways/web/test_uploads.py::test_guests_of_many_addresses_give_way_to_members_and_not_to_each_other",),
    ),
    Mutant(
        "an agent in a loop reads as fast as it can",
        "gateways/mcp/server.py",
        "middleware=[Audit(audit), Pace(bounds)]",
        "middleware=[Audit(audit)]",
        ("gateways/mcp/test_bounded.py::test_it_calls_no_more_than_it_may_and_is_told_when_to_call_again",),
    ),
    Mutant(
        "a clock that leaps ahead has all of it deleted",
        "broker/retiring.py",
        "if not self._is_doubted(",
        "if True or not self._is_doubted(",
        (RETIRING + "a_clock_that_leaps_ahead_deletes_nothing_until_it_was_steady_for_long",),
    ),
    Mutant(
        "what is exactly as old as it may be is to go",
        "broker/store/retiring.py",
        "if time >= one.before",
        "if time > one.before",
        (RETIRING + "what_is_exactly_as_old_stays_and_so_does_what_is_younger",),
    ),
    Mutant(
        "a step of what is to go has any size",
        "broker/store/retiring.py",
        "size > STEP_BYTES",
        "False",
        (RETIRING + "a_step_has_few_bytes_also_where_much_was_said_at_once",),
    ),
    Mutant(
        "an entry of another broker's wrong clock has younger things go",
        "broker/core/applying.py",
        "else min(before, draft.before)",
        "else before",
        (RETIRING + "nothing_goes_that_was_not_due_by_the_clock_of_the_broker_that_looked",),
    ),
    Mutant(
        "an entry has things go though their room says otherwise by now",
        "broker/core/applying.py",
        "else min(before, draft.before)",
        "else draft.before",
        (RETIRING + "a_room_says_for_itself_for_how_long_and_the_newest_word_counts",),
    ),
    Mutant(
        "a clock that leaps ahead by some days has things go too early",
        "broker/core/clocks.py",
        "return self._ahead if",
        "return 0.0 if",
        (RETIRING + "a_clock_that_is_ahead_by_some_days_deletes_nothing_sooner_until_it_was_steady",),
    ),
    Mutant(
        "a message that is more than a step never goes",
        "broker/store/retiring.py",
        "upto is not None and (events",
        "True and (events",
        (RETIRING + "a_message_that_has_more_edits_than_a_step_goes_alone",),
    ),
    Mutant(
        "what brokers of before do not know is written as if they did",
        "broker/log/posting.py",
        "encode(written, max(draft.version for draft in drafts))",
        "encode(written)",
        ("cluster/test_stream.py::test_only_what_an_older_version_does_not_know_is_written_as_a_newer_one",),
    ),
    Mutant(
        "an export lists answers that are deleted",
        "cli/gathered.py",
        "DELETE FROM answer WHERE seq = ?",
        "DELETE FROM answer WHERE seq = -?",
        ("cli/test_gathered.py::test_what_is_read_from_it_is_what_a_picture_in_memory_would_have",),
    ),
    Mutant(
        "what is said later goes to whoever has the nick by now",
        "prompt/slash/messages.py",
        " with_=chat.with_, reply_to",
        " reply_to",
        ("prompt/test_slash_messages.py::test_what_is_said_later_and_what_is_sent_belong_to_where_one_is",),
    ),
    Mutant(
        "a message that is refused keeps its files",
        "broker/core/settling.py",
        "files.arrived(self.roster, draft)",
        "pass",
        ("broker/test_shelf.py::test_a_message_that_is_refused_keeps_no_file_and_one_on_its_way_does",),
    ),
    Mutant(
        "a file that is held is forgotten with those that go",
        "broker/files/shelf.py",
        "rows = rows[: held[0]] if held else rows",
        "pass",
        ("broker/test_shelf.py::test_what_is_held_stays_until_it_is_let_go_also_if_its_last_message_goes",),
    ),
    Mutant(
        "guests upload as much as they are",
        "broker/core/budget.py",
        "GUESTS_A_DAY / 86_400.0 if rate else 0.0",
        "0.0",
        ("broker/test_budget.py::test_all_guests_of_an_address_together_upload_so_much_a_day_and_no_more",),
    ),
    Mutant(
        "a download takes the place of what has come meanwhile",
        "client/files.py",
        "        os.link(aside, target)  #",
        "        aside.rename(target); aside.touch()  #",
        ("client/test_files.py::test_what_comes_there_while_it_is_downloaded_is_not_overwritten_either",),
    ),
    Mutant(
        "an export goes on as long as people talk",
        "cli/export.py",
        "found.more and found.upto < last",
        "found.more",
        ("cli/test_export.py::test_what_is_said_meanwhile_does_not_keep_it_from_its_end",),
    ),
    Mutant(
        "two edits of a message are taken for each other",
        "prompt/sending.py",
        'self.target and getattr(event, "text", None) == self.text',
        "self.target",
        ("prompt/test_sending.py::test_an_edit_is_known_by_its_message_and_its_text",),
    ),
)
