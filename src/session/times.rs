//! The times of a session.

use std::time::SystemTime;

use super::authentication::Authentication;
use super::changes::{self, CheckReads, Renewal};
use super::session::Session;

/// # Times
impl Session {
    /// Returns when the principal logged in; `None` when nobody is logged in. For steps that need a fresh login
    /// (ASVS 7.5.3) there is [`require_login`](Self::require_login).
    ///
    /// ```
    /// # use std::time::Duration;
    /// # cloakroom::documentation::Visitor::new().visit(async |session| {
    /// session.log_in("ada").await?;
    /// let login = session.authenticated_at().expect("somebody is logged in");
    /// assert!(login.elapsed().is_ok_and(|age| age < Duration::from_secs(300)));
    /// # Ok(()) });
    /// ```
    pub fn authenticated_at(&self) -> Option<SystemTime> {
        Some(Authentication::of(&self.0.slot.read())?.at.into())
    }

    /// Returns when the session began: its first change, or its last [`renew`](Self::renew). `None`
    /// while it is new.
    ///
    /// ```
    /// # cloakroom::documentation::Visitor::new().visit(async |session| {
    /// assert_eq!(session.created_at(), None);
    /// session.insert("name", "Ada")?;
    /// session.save().await?;
    /// assert!(session.created_at().is_some());
    /// # Ok(()) });
    /// ```
    pub fn created_at(&self) -> Option<SystemTime> {
        Some(self.0.slot.read().found.live()?.record.created.into())
    }

    /// Returns when the session was last used, as far as the store knows; `None` if there is none yet.
    ///
    /// Reads move it a tenth of the idle timeout apart
    /// ([`slide_after_percent`](crate::SessionLayer::slide_after_percent)), and not at all once the absolute
    /// lifetime is about to end.
    ///
    /// ```
    /// # cloakroom::documentation::Visitor::new().visit(async |session| {
    /// session.insert("name", "Ada")?;
    /// session.save().await?;
    /// assert!(session.last_used_at() >= session.created_at());
    /// # Ok(()) });
    /// ```
    #[doc(alias("last_accessed", "last_seen"))]
    pub fn last_used_at(&self) -> Option<SystemTime> {
        let state = self.0.slot.read();
        Some(state.found.live()?.last_use().into())
    }

    /// Returns when the session ends if it is not used again; using it moves this, up to the end of
    /// its absolute lifetime. `None` while it is new.
    ///
    /// ```
    /// # cloakroom::documentation::Visitor::new().visit(async |session| {
    /// session.insert("name", "Ada")?;
    /// session.save().await?;
    /// let ends = session.expires_at().expect("it is stored");
    /// assert!(ends > std::time::SystemTime::now());
    /// # Ok(()) });
    /// ```
    #[doc(alias("expiry_date", "expiry_age", "expiry"))]
    pub fn expires_at(&self) -> Option<SystemTime> {
        let state = self.0.slot.read();
        let live = state.found.live()?;
        let now = self.0.settings.terms.now();
        let terms = &self.0.settings.terms;
        let renewing = changes::renewing(state.sending.iter().chain(state.changes.iter()));
        if let Some(Renewal { lifetime }) = changes::renewal(&renewing) {
            let mut record = live.record.clone();
            changes::apply(&renewing, &mut record, CheckReads::No).ok()?;
            return Some(terms.renew_lifetime(record, lifetime, now).deadline(now).into());
        }
        // A change moves the deadline when it is stored, and so does a read that is due to.
        let moves = state.is_touch_due() && terms.touch_due(live, now).is_some();
        let used = moves || state.has_changes();
        let deadline = if used { live.record.deadline(now) } else { live.deadline };
        Some(deadline.max(live.deadline).min(live.record.expires).into())
    }
}
