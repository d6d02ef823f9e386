//! A visitor who goes on shopping, with several requests at once, and checks every answer.

use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::graves::Graves;
use super::ledger::{Check, Ledger, check_empty, holds};
use super::rounds::Turns;
use super::told::{ATTEMPTS, PAUSE, Told, told};
use super::trade::Trade;
use crate::examples::{Reply, Visitor};

/// The additions of a visitor that are sent at once.
const TABS: usize = 2;

#[derive(Clone, Debug)]
pub struct Shopper {
    name: String,
    visitor: Visitor,
    ledger: Ledger,
    items: u64,
    graves: Graves,
    pub trade: Trade,
}

impl Shopper {
    pub fn new(name: &str, visitor: Visitor, graves: Graves) -> Self {
        Self {
            name: name.to_owned(),
            visitor,
            ledger: Ledger::default(),
            items: 0,
            graves,
            trade: Trade::default(),
        }
    }

    /// Has one session from the beginning to the end, and gets a new id for it now and then.
    pub async fn shop_in_one_session(&mut self, turns: &Turns) -> Check {
        self.begin().await?;
        for round in 0_u64.. {
            self.shop().await?;
            if round % 3 == 1 {
                self.log_in().await?;
            }
            turns.count();
            if turns.are_over() {
                break;
            }
        }
        self.look().await
    }

    /// Begins sessions, logs in and out, and tries all old cookies.
    pub async fn shop_in_many_sessions(&mut self, turns: &Turns) -> Check {
        while !turns.are_over() {
            self.begin().await?;
            self.shop().await?;
            self.log_in().await?;
            self.shop().await?;
            self.log_out().await?;
            turns.count();
        }
        Ok(())
    }

    /// Begins a session by one request. Of several without a ticket, each would begin one of its own.
    pub async fn begin(&mut self) -> Check {
        for _ in 0..ATTEMPTS {
            self.visitor.cookie = None;
            self.ledger = Ledger::default();
            let item = self.next_item();
            let reply = add(&mut self.visitor, &item).await;
            if let Told::Done(session) = self.told(&reply)? {
                self.ledger.note_acknowledged(&item);
                return self.ledger.check(&session);
            }
            sleep(PAUSE).await;
        }
        Err("no answer to the begin of a session".to_owned())
    }

    /// Puts several items into the cart at once, and looks at it meanwhile and afterwards.
    async fn shop(&mut self) -> Check {
        let mut tabs = self.add_at_once();
        let mut looking = self.visitor.clone();
        tabs.spawn(async move { (None, looking.get("/api/session").await) });
        let before = self.ledger.clone();
        while let Some(joined) = tabs.join_next().await {
            let (item, reply) = joined.expect("a request");
            match self.told(&reply)? {
                Told::Done(session) => {
                    before.check(&session)?;
                    self.note_acknowledged(item, &session)?;
                }
                Told::Refused => return Err(format!("refused: {reply:?}")),
                Told::Nothing => {}
            }
        }
        self.look().await
    }

    /// Checks that everything is as it was left, and goes on with it.
    pub async fn wake(&mut self) -> Check {
        self.look().await?;
        self.shop().await?;
        self.log_in().await
    }

    async fn look(&mut self) -> Check {
        self.ledger.check(&look(&mut self.visitor).await?)
    }

    /// Logs in while others of its requests are under way.
    async fn log_in(&mut self) -> Check {
        let old = self.visitor.cookie.clone();
        let mut tabs = self.add_at_once();
        let mut before = self.ledger.clone();
        let reply = self.visitor.post("/api/login", json!({"user": self.name})).await;
        while let Some(joined) = tabs.join_next().await {
            let (item, reply) = joined.expect("a request");
            if let Told::Done(session) = self.told(&reply)? {
                before.check_items(&session)?;
                self.note_acknowledged(item, &session)?;
            }
        }
        match self.told(&reply)? {
            Told::Done(session) => {
                self.ledger.user = Some(self.name.clone());
                before.user.clone_from(&self.ledger.user);
                before.check(&session)?;
                holds(self.visitor.cookie != old, || format!("no new id: {reply:?}"))?;
                check_dead(&self.visitor, old.as_deref()).await?;
                self.graves.add(old);
                self.look().await
            }
            Told::Refused => Err(format!("the login is refused: {reply:?}")),
            // The answer may be what has the new cookie. Nobody else has it.
            Told::Nothing => {
                self.trade.given_up += 1;
                self.begin().await
            }
        }
    }

    /// Logs out while others of its requests are under way, and replays the old cookie.
    async fn log_out(&mut self) -> Check {
        let old = self.visitor.cookie.clone();
        let mut tabs = self.add_at_once();
        self.end().await?;
        check_dead(&self.visitor, old.as_deref()).await?;
        while let Some(joined) = tabs.join_next().await {
            self.told(&joined.expect("a request").1)?;
        }
        check_dead(&self.visitor, old.as_deref()).await?;
        self.writes_nothing_into(old.as_deref()).await?;
        self.graves.add(old);
        self.trade.logouts += 1;
        Ok(())
    }

    /// Sends the logout until it is confirmed.
    async fn end(&mut self) -> Check {
        for _ in 0..ATTEMPTS {
            let reply = self.visitor.send("POST", "/api/logout", None, "").await;
            match self.told(&reply)? {
                Told::Done(_) => return Ok(()),
                Told::Refused => return Err(format!("the logout is refused: {reply:?}")),
                Told::Nothing => sleep(PAUSE).await,
            }
        }
        Err("no answer to a logout".to_owned())
    }

    /// Checks that a write with the cookie of a session that is over begins another one, or is refused.
    async fn writes_nothing_into(&mut self, cookie: Option<&str>) -> Check {
        let mut thief = with_cookie(&self.visitor, cookie);
        let mut begun = Ledger::default();
        begun.note_sent("stolen");
        let reply = add(&mut thief, "stolen").await;
        match self.told(&reply)? {
            Told::Done(session) => begun.check(&session),
            Told::Refused | Told::Nothing => Ok(()),
        }
    }

    /// Sends several additions at once, and notes them as sent.
    fn add_at_once(&mut self) -> JoinSet<(Option<String>, Reply)> {
        let mut tabs = JoinSet::new();
        for _ in 0..TABS {
            let (item, mut tab) = (self.next_item(), self.visitor.clone());
            tabs.spawn(async move {
                let reply = add(&mut tab, &item).await;
                (Some(item), reply)
            });
        }
        tabs
    }

    fn next_item(&mut self) -> String {
        self.items += 1;
        let item = format!("{}-{}", self.name, self.items);
        self.ledger.note_sent(&item);
        item
    }

    fn note_acknowledged(&mut self, item: Option<String>, session: &Value) -> Check {
        let Some(item) = item else { return Ok(()) };
        holds(session["items"][&item] == 1, || format!("{item} is acknowledged: {session}"))?;
        self.ledger.note_acknowledged(&item);
        Ok(())
    }

    fn told(&mut self, reply: &Reply) -> Result<Told, String> {
        let told = told(reply)?;
        match told {
            Told::Done(_) => self.trade.done += 1,
            Told::Refused => self.trade.refused += 1,
            Told::Nothing => self.trade.without_an_answer += 1,
        }
        Ok(told)
    }
}

async fn add(visitor: &mut Visitor, item: &str) -> Reply {
    visitor.post("/api/items", json!({"sku": item, "qty": 1})).await
}

/// Reads a session, as often as it takes for an answer.
async fn look(visitor: &mut Visitor) -> Result<Value, String> {
    for _ in 0..ATTEMPTS {
        let reply = visitor.get("/api/session").await;
        if let Told::Done(session) = told(&reply)? {
            return Ok(session);
        }
        sleep(PAUSE).await;
    }
    Err("no answer to a look at a session".to_owned())
}

fn with_cookie(visitor: &Visitor, cookie: Option<&str>) -> Visitor {
    let mut other = visitor.clone();
    other.cookie = cookie.map(str::to_owned);
    other
}

/// Checks that this cookie, sent to where the visitor sends its own, opens nothing.
pub async fn check_dead(visitor: &Visitor, cookie: Option<&str>) -> Check {
    check_empty(&look(&mut with_cookie(visitor, cookie)).await?)
}
