//! A cluster of three primaries with a replica each, in plain text or over TLS.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::time::{Duration, Instant};

use super::flavour::Flavour;
use super::monitor::Monitor;
use super::node::Node;
use super::tls_options::Certificates;
use crate::processes::{Folder, free_port, wait_until, wait_until_or_tell};

const SLOTS: u16 = 16_384;
const PRIMARIES: u16 = 3;
/// A little longer than a replica waits for the others' agreement.
const AGREEMENT: Duration = Duration::from_secs(6);
/// The silence after which a member is replaced: longer than a busy machine makes it silent. A failover that nobody has
/// asked for may lose changes.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// For a failover that is as fast as possible.
pub(super) const HASTE: Duration = Duration::from_millis(1_500);

#[derive(Debug)]
pub struct Cluster {
    nodes: Vec<Member>,
    _folder: Folder,
}

#[derive(Debug)]
pub struct Member {
    node: Node,
    bus: u16,
    id: String,
}

impl Deref for Member {
    type Target = Node;

    fn deref(&self) -> &Node {
        &self.node
    }
}

impl Member {
    const OPTIONS: &str = "--cluster-enabled yes --cluster-announce-ip 127.0.0.1 \
        --cluster-replica-validity-factor 0";

    fn start(
        flavour: Flavour,
        folder: &Folder,
        certificates: Option<&Certificates>,
        patience: Duration,
    ) -> Self {
        let bus = free_port();
        let (number, patience) = (bus.to_string(), patience.as_millis().to_string());
        let mut options: Vec<_> = Self::OPTIONS.split_whitespace().collect();
        options.extend(["--cluster-port", &number, "--cluster-node-timeout", &patience]);
        if certificates.is_some() {
            options.extend(["--tls-cluster", "yes"]);
        }
        let node = Node::start_with(flavour, folder, certificates, &options);
        let id = node.ask(&["CLUSTER", "MYID"]).text();
        Self { node, bus, id }
    }

    /// Returns the members that this one knows, from `CLUSTER NODES`; none if it does not answer.
    fn view(&self) -> Vec<KnownMember> {
        let Ok(nodes) = self.try_ask(&["CLUSTER", "NODES"]) else { return Vec::new() };
        nodes.text().lines().filter_map(KnownMember::read).collect()
    }

    fn is_content(&self) -> bool {
        let Ok(info) = self.try_ask(&["CLUSTER", "INFO"]) else { return false };
        info.text().contains("cluster_state:ok")
    }

    /// Returns whether a replica has all data of its primary. A primary always has.
    fn is_in_step(&self) -> bool {
        let state = self.info("master_link_status");
        state.is_none_or(|state| state == "up")
    }

    pub fn is_primary(&self) -> bool {
        self.info("role").as_deref() == Some("master")
    }
}

/// A member as another one sees it.
#[derive(Debug)]
struct KnownMember {
    id: String,
    flags: String,
    primary: String,
    slots: Vec<String>,
}

impl KnownMember {
    /// Parses `id address flags primary ping pong epoch link slots…`.
    fn read(line: &str) -> Option<Self> {
        let words: Vec<_> = line.split(' ').map(str::to_owned).collect();
        let [id, _, flags, primary, _, _, _, _, slots @ ..] = &words[..] else { return None };
        let (id, flags, primary) = (id.clone(), flags.clone(), primary.clone());
        Some(Self { id, flags, primary, slots: slots.to_vec() })
    }

    fn is(&self, flag: &str) -> bool {
        self.flags.split(',').any(|other| other == flag)
    }

    fn has(&self, slot: u16) -> bool {
        self.slots.iter().any(|range| {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            let bounds = first.parse().ok().zip(last.parse().ok());
            bounds.is_some_and(|(first, last): (u16, u16)| (first..=last).contains(&slot))
        })
    }
}

impl Cluster {
    /// Starts a cluster. Returns when every member knows all others and the replicas have all data.
    /// Before that, a test that breaks something might pass for the wrong reason.
    pub fn start(flavour: Flavour) -> Self {
        Self::start_in(flavour, Folder::new(), None, PATIENCE)
    }

    /// Starts a cluster that soon replaces a member that is silent, for tests of failovers.
    pub fn start_hasty(flavour: Flavour) -> Self {
        Self::start_in(flavour, Folder::new(), None, HASTE)
    }

    /// Starts a cluster whose nodes, if they have certificates, speak TLS only. `patience` is the time after which a
    /// member that is silent is replaced.
    pub(super) fn start_in(
        flavour: Flavour,
        folder: Folder,
        certificates: Option<&Certificates>,
        patience: Duration,
    ) -> Self {
        let member = |_| Member::start(flavour, &folder, certificates, patience);
        let nodes = (0..2 * PRIMARIES).map(member).collect();
        let cluster = Self { nodes, _folder: folder };
        cluster.share_out_slots();
        cluster.introduce();
        cluster.add_replicas();
        cluster.wait_until_whole();
        cluster
    }

    fn share_out_slots(&self) {
        for (at, node) in (0..).zip(&self.nodes) {
            node.ask(&["CLUSTER", "SET-CONFIG-EPOCH", &(at + 1).to_string()]).ok();
            if at < PRIMARIES {
                let edge = |at: u16| u32::from(SLOTS) * u32::from(at) / u32::from(PRIMARIES);
                let (first, last) = (edge(at).to_string(), (edge(at + 1) - 1).to_string());
                node.ask(&["CLUSTER", "ADDSLOTSRANGE", &first, &last]).ok();
            }
        }
    }

    fn introduce(&self) {
        for node in &self.nodes[1..] {
            let (port, bus) = (node.port.to_string(), node.bus.to_string());
            self.nodes[0].ask(&["CLUSTER", "MEET", "127.0.0.1", &port, &bus]).ok();
        }
        let acquainted = |node: &Member| {
            let view = node.view();
            view.len() == self.nodes.len() && !view.iter().any(|known| known.is("handshake"))
        };
        wait_until("a cluster whose members know each other", || self.nodes.iter().all(acquainted));
    }

    fn add_replicas(&self) {
        let (primaries, replicas) = self.nodes.split_at(PRIMARIES.into());
        for (primary, replica) in primaries.iter().zip(replicas) {
            replica.ask(&["CLUSTER", "REPLICATE", &primary.id]).ok();
        }
    }

    /// Waits until three primaries and three replicas run and know each other, whichever is
    /// primary, and agree about all slots. A replica that does not know yet of a slot that has moved would take over
    /// without it, and the members would never agree again.
    pub fn wait_until_whole(&self) {
        let whole = |node: &Member| {
            let view = node.view();
            let count = |flag| view.iter().filter(|known| known.is(flag)).count();
            let failing = count("fail") + count("fail?") + count("handshake");
            let expected = (PRIMARIES.into(), PRIMARIES.into(), 0);
            (count("master"), count("slave"), failing) == expected
                && node.is_content()
                && node.is_in_step()
        };
        let is_whole = || self.nodes.iter().all(whole) && self.agree_about_slots();
        wait_until_or_tell("a whole cluster", is_whole, || self.describe());
    }

    fn agree_about_slots(&self) -> bool {
        let owners = |node: &Member| {
            let slots = node.view().into_iter().map(|known| (known.id, known.slots));
            slots.collect::<BTreeMap<_, _>>()
        };
        let mut views = self.nodes.iter().map(owners);
        views.next().is_some_and(|first| views.all(|view| view == first))
    }

    /// Returns what each member says about the cluster and itself.
    fn describe(&self) -> String {
        let questions: [&[&str]; 3] =
            [&["CLUSTER", "NODES"], &["CLUSTER", "INFO"], &["INFO", "replication"]];
        let answer = |node: &Member, words: &&[&str]| match node.try_ask(words) {
            Ok(answer) => answer.text(),
            Err(error) => error.to_string(),
        };
        let of = |node: &Member| {
            let answers = questions.iter().map(|words| answer(node, words)).collect::<Vec<_>>();
            format!("member {}:\n{}", node.id, answers.join("\n"))
        };
        self.nodes.iter().map(of).collect::<Vec<_>>().join("\n")
    }

    /// Returns a `redis-cluster://` URL with one member, from which a client finds the others.
    pub fn url(&self) -> String {
        format!("redis-cluster://127.0.0.1:{}", self.nodes[0].port)
    }

    /// Returns a URL with every member, for tests in which the first may be down.
    pub fn url_of_all(&self) -> String {
        let hosts = self.nodes.iter().map(|node| format!("127.0.0.1:{}", node.port));
        format!("redis-cluster://{}", hosts.collect::<Vec<_>>().join(","))
    }

    pub fn nodes(&self) -> &[Member] {
        &self.nodes
    }

    fn running(&self) -> impl Iterator<Item = &Member> {
        self.nodes.iter().filter(|node| node.process.is_running())
    }

    pub fn primaries(&self) -> Vec<&Member> {
        self.running().filter(|node| node.is_primary()).collect()
    }

    pub fn slot_of(&self, key: &str) -> u16 {
        let node = self.running().next().expect("a running node");
        u16::try_from(node.ask(&["CLUSTER", "KEYSLOT", key]).integer()).unwrap()
    }

    /// Returns the running primary that has a slot.
    pub fn primary_of(&self, slot: u16) -> Option<&Member> {
        let has = |node: &&Member| {
            let me = node.view().into_iter().find(|known| known.is("myself"));
            me.is_some_and(|me| me.is("master") && me.has(slot))
        };
        self.running().find(has)
    }

    pub fn replica_of(&self, primary: &Member) -> Option<&Member> {
        let view = primary.view();
        let replica = view.iter().find(|known| known.primary == primary.id)?;
        self.nodes.iter().find(|node| node.id == replica.id)
    }

    /// Kills the primary of a slot with SIGKILL, and returns it.
    pub fn kill_primary(&self, slot: u16) -> &Member {
        let primary = self.primary_of(slot).expect("a primary");
        primary.kill();
        primary
    }

    /// Waits until another node than `former` is primary of a slot and the cluster works again.
    pub fn wait_for_promotion(&self, slot: u16, former: &Member) -> &Member {
        let mut promoted = None;
        wait_until("a promoted replica", || {
            promoted = self.primary_of(slot).filter(|node| node.id != former.id);
            promoted.is_some() && self.running().all(Member::is_content)
        });
        promoted.unwrap()
    }

    /// Starts the members that were killed. Those whose replicas have taken over become replicas.
    pub fn bring_back(&self) {
        for node in self.nodes.iter().filter(|node| !node.process.is_running()) {
            node.start_again();
        }
        self.wait_until_whole();
    }

    /// Lets the replica of a slot's primary take over by agreement, which loses no data.
    pub fn hand_over(&self, slot: u16) -> &Member {
        let primary = self.primary_of(slot).expect("a primary");
        let replica = self.replica_of(primary).expect("a replica");
        let mut asked: Option<Instant> = None;
        // It is not enough that the replica calls itself primary. With the votes of an earlier take-over it does so for
        // a moment, until the primary contradicts.
        wait_until("a replica that takes over", || {
            let has_taken_over = replica.is_primary() && !primary.is_primary();
            // The others do not agree so soon after another take-over, and the replica gives up after five seconds.
            if !has_taken_over && asked.is_none_or(|asked| asked.elapsed() > AGREEMENT) {
                let _ = replica.try_ask(&["CLUSTER", "FAILOVER"]);
                asked = Some(Instant::now());
            }
            has_taken_over
        });
        self.wait_for_promotion(slot, primary)
    }

    /// Begins to move a slot from its primary to another one, and returns both in this order. From
    /// now on the first one answers `ASK` for keys that it does not have.
    pub fn begin_move(&self, slot: u16) -> (&Member, &Member) {
        let from = self.primary_of(slot).expect("a primary");
        let to = self.primaries().into_iter().find(|node| node.id != from.id).expect("another");
        let number = slot.to_string();
        to.ask(&["CLUSTER", "SETSLOT", &number, "IMPORTING", &from.id]).ok();
        from.ask(&["CLUSTER", "SETSLOT", &number, "MIGRATING", &to.id]).ok();
        (from, to)
    }

    /// Moves the keys of a slot after [`Self::begin_move`]. The nodes do not announce the move yet. A key that
    /// has ended meanwhile is left out.
    pub fn move_keys(&self, slot: u16, (from, to): (&Member, &Member)) {
        let keys = from.ask(&["CLUSTER", "GETKEYSINSLOT", &slot.to_string(), "1000"]);
        for key in keys.list() {
            let port = to.port.to_string();
            let moved = from.ask(&["MIGRATE", "127.0.0.1", &port, &key.text(), "0", "5000"]);
            assert!(["OK", "NOKEY"].contains(&&*moved.text()), "{moved:?}");
        }
    }

    /// Tells all primaries that the slot has moved. From now on the former one answers `MOVED`.
    ///
    /// Returns when all members agree. Another move meanwhile would give a primary a newer epoch, in which it may
    /// still claim this slot: then two members would each take the other one for its owner, for good.
    pub fn finish_move(&self, slot: u16, (_, to): (&Member, &Member)) {
        let number = slot.to_string();
        let tell = |node: &Member| node.ask(&["CLUSTER", "SETSLOT", &number, "NODE", &to.id]).ok();
        let knows = |node: &Member| {
            let view = node.view();
            view.iter().find(|known| known.has(slot)).is_some_and(|known| known.id == to.id)
        };
        let mut told: Option<Instant> = None;
        let all_know = || {
            if told.is_none_or(|told| told.elapsed() > Duration::from_secs(2)) {
                tell(to);
                self.primaries().into_iter().for_each(tell);
                told = Some(Instant::now());
            }
            self.running().all(knows)
        };
        wait_until_or_tell("members that agree about a slot", all_know, || self.describe());
    }

    /// Returns a monitor of all primaries. Replicas would show the replicated commands a second
    /// time.
    pub fn monitor(&self) -> Monitor {
        Monitor::on(self.primaries().into_iter().map(|member| &member.node))
    }

    pub fn client_kill_all(&self) -> usize {
        self.running().map(|node| node.client_kill_all()).sum()
    }
}
