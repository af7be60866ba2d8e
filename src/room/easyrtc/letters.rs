//! `easyrtcMsg` (9).

use serde_json::value::RawValue;

use super::output::Output;
use super::rules::EasyRtc;
use crate::room::PeerId;
use crate::wire::Text;
use crate::wire::easyrtc::{self, ErrorCode, Letter, Notice, Target};

impl EasyRtc {
    /// Delivers a message of an authenticated peer. Returns the acknowledgement; `None`: there is
    /// none, since the message is for the server, which has no use for it (9.2).
    pub(super) fn letter(
        &self,
        who: PeerId,
        argument: Option<&RawValue>,
        now: u64,
        out: &mut Vec<Output>,
    ) -> Result<Option<Text>, ErrorCode> {
        let letter = Letter::read(argument)?;
        let sender = self.connection(who).ok_or(ErrorCode::GenFail)?;
        if letter.target.easyrtcid.as_ref() == Some(&sender.easyrtcid) {
            return Err(ErrorCode::TargetEasyrtcid);
        }
        let application = self.application_of(sender);
        match &letter.target {
            Target { easyrtcid: Some(id), room, group } => {
                let target = self.in_application(id, &sender.application).ok_or(ErrorCode::GenFail)?;
                if let Some(room) = room {
                    let both = |room: &&_| application.get(room).is_some_and(|room| room.has(who) && room.has(target));
                    Some(room).filter(both).ok_or(ErrorCode::TargetRoom)?;
                }
                if group.is_some() {
                    return Err(ErrorCode::TargetGroup);
                }
                self.emit(target, &Notice::letter(&sender.easyrtcid, &letter, now), out);
            }
            // Those of the room who are of the group: nobody, which is no error.
            Target { room: Some(_), group: Some(_), .. } => {}
            Target { room: Some(room), .. } => {
                let room = application.get(room).filter(|room| room.has(who)).ok_or(ErrorCode::TargetRoom)?;
                let notice = Notice::letter(&sender.easyrtcid, &letter, now);
                room.others(who).for_each(|other| self.emit(other, &notice, out));
            }
            Target { group: Some(_), .. } => return Err(ErrorCode::TargetGroup),
            Target { .. } => return Ok(None),
        }
        Ok(Some(easyrtc::ack()))
    }
}
