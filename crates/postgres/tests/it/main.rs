//! Against real servers: connections, facts, tools, throwaway servers.

mod there_and_back;
