//! The error codes (14).

/// Why a message was refused. Its `Display` is the errorText.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum ErrorCode {
    /// LOGIN_APP_AUTH_FAIL: the application does not exist and may not be made.
    #[error("Authentication for application failed. Socket will be disconnected.")]
    LoginAppAuthFail,
    /// LOGIN_BAD_AUTH: not a message that authenticates.
    #[error("Authentication for application failed. Socket will be disconnected.")]
    LoginBadAuth,
    /// LOGIN_BAD_ROOM: a room does not exist and may not be made.
    #[error("Requested room is invalid or does not exist. Socket will be disconnected.")]
    LoginBadRoom,
    /// LOGIN_BAD_STRUCTURE: no msgData, no apiVersion, or a wrong roomJoin.
    #[error("Authentication for application failed. The provided structure is improper. Socket will be disconnected.")]
    LoginBadStructure,
    /// LOGIN_GEN_FAIL: a room is full, or no easyrtcid was to be had.
    #[error("Authentication failed. Socket will be disconnected.")]
    LoginGenFail,
    /// MSG_REJECT_BAD_DATA: msgData is missing, is there where it may not be, or is no object.
    #[error("Message rejected. The provided msgData is improper.")]
    BadData,
    /// MSG_REJECT_BAD_ROOM: the sender is not in the room, or it is full or may not be made.
    #[error("Message rejected. Requested room is invalid or does not exist.")]
    BadRoom,
    /// MSG_REJECT_BAD_SIZE: a value that would be kept is too long.
    #[error("Message rejected. Packet size is too large.")]
    BadSize,
    /// MSG_REJECT_BAD_STRUCTURE: something inside msgData breaks its rule.
    #[error("Message rejected. The provided structure is improper.")]
    BadStructure,
    /// MSG_REJECT_BAD_TYPE: msgType is no text, or no command.
    #[error("Message rejected. The provided msgType is unsupported.")]
    BadType,
    /// MSG_REJECT_GEN_FAIL: the target of an `easyrtcMsg` is not there.
    #[error("Message rejected. General failure occurred.")]
    GenFail,
    /// MSG_REJECT_TARGET_EASYRTCID: the target of an `easyrtcCmd` is not there, or is no easyrtcid.
    #[error("Message rejected. Target easyrtcid is invalid, not using same application, or no longer online.")]
    TargetEasyrtcid,
    /// MSG_REJECT_TARGET_GROUP: there are no groups.
    #[error("Message rejected. Target group is invalid or not defined.")]
    TargetGroup,
    /// MSG_REJECT_TARGET_ROOM: the sender or the target is not in the room.
    #[error("Message rejected. Target room is invalid or not created.")]
    TargetRoom,
}

impl ErrorCode {
    /// The errorCode.
    pub fn code(self) -> &'static str {
        match self {
            Self::LoginAppAuthFail => "LOGIN_APP_AUTH_FAIL",
            Self::LoginBadAuth => "LOGIN_BAD_AUTH",
            Self::LoginBadRoom => "LOGIN_BAD_ROOM",
            Self::LoginBadStructure => "LOGIN_BAD_STRUCTURE",
            Self::LoginGenFail => "LOGIN_GEN_FAIL",
            Self::BadData => "MSG_REJECT_BAD_DATA",
            Self::BadRoom => "MSG_REJECT_BAD_ROOM",
            Self::BadSize => "MSG_REJECT_BAD_SIZE",
            Self::BadStructure => "MSG_REJECT_BAD_STRUCTURE",
            Self::BadType => "MSG_REJECT_BAD_TYPE",
            Self::GenFail => "MSG_REJECT_GEN_FAIL",
            Self::TargetEasyrtcid => "MSG_REJECT_TARGET_EASYRTCID",
            Self::TargetGroup => "MSG_REJECT_TARGET_GROUP",
            Self::TargetRoom => "MSG_REJECT_TARGET_ROOM",
        }
    }
}
