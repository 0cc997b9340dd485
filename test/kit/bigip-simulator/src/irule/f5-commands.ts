/**
 * F5's commands and the events in which each is valid: the one table of the loader. A command that stands here loads;
 * whether it also works is the data plane's matter. Recorded on BIG-IP 21.1 for 15 commands in 8 events, which are
 * marked; the others stand in the group of their nearest relative (presumed), and an event that nobody measured accepts.
 */

const LAYER_4 =
  'CLIENT_ACCEPTED CLIENT_DATA CLIENT_CLOSED FLOW_INIT CLIENTSSL_CLIENTHELLO CLIENTSSL_CLIENTCERT CLIENTSSL_HANDSHAKE ' +
  'CLIENTSSL_SERVERHELLO_SEND DNS_REQUEST DNS_RESPONSE';
const ANSWERS = 'HTTP_RESPONSE HTTP_RESPONSE_CONTINUE HTTP_RESPONSE_DATA HTTP_RESPONSE_RELEASE';
const QUESTIONS = 'HTTP_REQUEST HTTP_REQUEST_DATA HTTP_REQUEST_RELEASE HTTP_REQUEST_SEND';

interface Group {
  notIn: string;
  names: string;
}

const GROUPS: readonly Group[] = [
  {
    notIn: '',
    // recorded: TCP::collect TCP::payload
    names: `
      TCP::collect TCP::payload TCP::notify TCP::option UDP::payload
      accumulate active_members active_nodes members nodes b64decode b64encode call class clientside serverside peer
      cpu crc32 domain event findclass findstr getfield htonl htons ntohl ntohs ifile imid listen log lookup matchclass
      md5 nexthop rateclass sha1 sha256 sha384 sha512 sharedvar substr traffic_group use urlcatquery
      urlcatblindquery whereis whitelist ip2country decode_uri http_cookie http_header http_host http_method http_uri
      http_version client_addr client_port link_qos ip_protocol ip_tos ip_ttl local_addr local_port remote_addr
      remote_port server_addr server_port vlan_id connect send recv relate_client relate_server
      AES::decrypt AES::encrypt AES::key ASN1::decode ASN1::element ASN1::encode AVR::disable AVR::enable AVR::log
      CRYPTO::decrypt CRYPTO::encrypt CRYPTO::hash CRYPTO::keygen CRYPTO::sign CRYPTO::verify FLOWTABLE::count
      FLOWTABLE::limit ILX::call ILX::init ILX::notify IP::addr IP::intelligence IP::reputation ISTATS::get ISTATS::incr
      ISTATS::remove ISTATS::set NAME::lookup NAME::response PROFILE::access PROFILE::auth PROFILE::clientssl
      PROFILE::exists PROFILE::fasthttp PROFILE::fastL4 PROFILE::ftp PROFILE::http PROFILE::httpclass
      PROFILE::httpcompression PROFILE::list PROFILE::oneconnect PROFILE::persist PROFILE::serverssl PROFILE::stream
      PROFILE::tcp PROFILE::udp PROFILE::webacceleration PROFILE::xml PSC::ip_address RESOLV::lookup RESOLVER::name_lookup
      RESOLVER::summarize SDP::field STATS::get STATS::incr STATS::set STATS::setmax STATS::setmin TMM::cmp_cluster
      TMM::cmp_count TMM::cmp_group TMM::cmp_groups TMM::cmp_primary_group TMM::cmp_unit URI::basename URI::compare
      URI::decode URI::encode URI::host URI::path URI::port URI::protocol URI::query X509::cert_fields X509::extensions
      X509::hash X509::issuer X509::not_valid_after X509::not_valid_before X509::pem2der X509::serial_number
      X509::signature_algorithm X509::subject X509::subject_public_key X509::subject_public_key_RSA_bits
      X509::subject_public_key_type X509::verify_cert_error_string X509::version X509::whole DNSMSG::header
      DNSMSG::record DNSMSG::section JSON::array JSON::create JSON::get JSON::object JSON::parse JSON::render JSON::root
      JSON::set JSON::type MESSAGE::field MESSAGE::proto MESSAGE::type`,
  },
  {
    // A connection is needed: everywhere but in RULE_INIT.
    notIn: 'RULE_INIT',
    // recorded: IP::client_addr IP::server_addr TCP::client_port LB::server pool node table
    names: `
      IP::client_addr IP::server_addr IP::local_addr IP::remote_addr IP::version IP::protocol IP::tos IP::ttl IP::hops
      IP::idle_timeout IP::stats IP::ingress_drop_rate IP::ingress_rate_limit
      TCP::abc TCP::analytics TCP::autowin TCP::bandwidth TCP::client_port TCP::close TCP::congestion TCP::delayed_ack
      TCP::dsack TCP::earlyrxmit TCP::ecn TCP::enhanced_loss_recovery TCP::idletime TCP::keepalive TCP::limxmit
      TCP::local_port TCP::lossfilter TCP::lossfilterburst TCP::lossfilterrate TCP::mss TCP::nagle TCP::naglemode
      TCP::naglestate TCP::offset TCP::pacing TCP::proxybuffer TCP::proxybufferhigh TCP::proxybufferlow TCP::push_flag
      TCP::rcv_scale TCP::rcv_size TCP::recvwnd TCP::release TCP::remote_port TCP::respond TCP::rexmt_thresh TCP::rt_metrics_timeout
      TCP::rto TCP::rtt TCP::rttvar TCP::sendbuf TCP::server_port TCP::setmss TCP::snd_cwnd TCP::snd_scale TCP::snd_ssthresh
      TCP::snd_wnd TCP::syn_cookie TCP::unused_port
      UDP::client_port UDP::debug_queue UDP::drop UDP::hold UDP::local_port UDP::max_buf_pkts UDP::max_rate UDP::mss UDP::release
      UDP::remote_port UDP::respond UDP::sendbuffer UDP::server_port UDP::unused_port
      SCTP::client_port SCTP::collect SCTP::local_port SCTP::payload SCTP::ppi SCTP::release SCTP::remote_port SCTP::respond
      SCTP::server_port
      LB::bias LB::class LB::command LB::connect LB::connlimit LB::context_id LB::detach LB::down LB::dst_tag LB::enable_decisionlog
      LB::mode LB::persist LB::prime LB::queue LB::reselect LB::select LB::server LB::snat LB::src_tag LB::status LB::up
      HSL::open HSL::send LINK::lasthop LINK::nexthop LINK::qos LINK::vlan_id LINK::vlan_qos
      pool node table virtual snat snatpool persist session forward reject drop discard clone redirect 
      qos HTTP::disable HTTP::enable HTTP2::disable HTTP2::disconnect HTTP2::enable COMPRESS::disable COMPRESS::enable
      CACHE::disable
      BWC::color BWC::debug BWC::mark BWC::measure BWC::policy BWC::pps BWC::priority BWC::rate
      ACCESS::acl ACCESS::disable ACCESS::enable ACCESS::ephemeral-auth ACCESS::flowid ACCESS::log ACCESS::oauth
      ACCESS::perflow ACCESS::policy ACCESS::respond ACCESS::restrict_irule_events ACCESS::saml ACCESS::session ACCESS::user
      ACCESS::uuid ACCESS2::access2_proc
      ASM::client_ip ASM::conviction ASM::deception ASM::disable ASM::enable ASM::fingerprint ASM::is_authenticated
      ASM::login_status ASM::microservice ASM::payload ASM::policy ASM::raise ASM::severity ASM::signature ASM::status
      ASM::support_id ASM::threat_campaign ASM::unblock ASM::uncaptcha ASM::username ASM::violation ASM::violation_data
      AUTH::abort AUTH::authenticate AUTH::authenticate_continue AUTH::cert_credential AUTH::cert_issuer_credential
      AUTH::last_event_session_id AUTH::password_credential AUTH::response_data AUTH::ssl_cc_ldap_status
      AUTH::ssl_cc_ldap_username AUTH::start AUTH::status AUTH::subscribe AUTH::unsubscribe AUTH::username_credential
      AUTH::wantcredential_prompt AUTH::wantcredential_prompt_style AUTH::wantcredential_type
      BOTDEFENSE::action BOTDEFENSE::bot_anomalies BOTDEFENSE::bot_categories BOTDEFENSE::bot_name BOTDEFENSE::bot_signature
      BOTDEFENSE::bot_signature_category BOTDEFENSE::captcha_age BOTDEFENSE::captcha_status BOTDEFENSE::client_class
      BOTDEFENSE::client_type BOTDEFENSE::cookie_age BOTDEFENSE::cookie_status BOTDEFENSE::cs_allowed BOTDEFENSE::cs_attribute
      BOTDEFENSE::cs_possible BOTDEFENSE::device_id BOTDEFENSE::disable BOTDEFENSE::enable BOTDEFENSE::intent
      BOTDEFENSE::micro_service BOTDEFENSE::previous_action BOTDEFENSE::previous_request_age BOTDEFENSE::previous_support_id
      BOTDEFENSE::reason BOTDEFENSE::support_id
      CLASSIFICATION::app CLASSIFICATION::category CLASSIFICATION::disable CLASSIFICATION::enable CLASSIFICATION::protocol
      CLASSIFICATION::result CLASSIFICATION::urlcat CLASSIFICATION::username CLASSIFY::application CLASSIFY::category
      CLASSIFY::defer CLASSIFY::disable CLASSIFY::urlcat CLASSIFY::username
      CONNECTOR::disable CONNECTOR::enable CONNECTOR::profile CONNECTOR::remap
      DIAMETER::avp DIAMETER::command DIAMETER::disconnect DIAMETER::drop DIAMETER::header DIAMETER::host DIAMETER::is_request
      DIAMETER::is_response DIAMETER::is_retransmission DIAMETER::length DIAMETER::message DIAMETER::payload DIAMETER::persist
      DIAMETER::realm DIAMETER::respond DIAMETER::result DIAMETER::retransmission DIAMETER::retry DIAMETER::route_status
      DIAMETER::session DIAMETER::skip_capabilities_exchange DIAMETER::state
      DNS::additional DNS::answer DNS::authority DNS::class DNS::disable DNS::drop DNS::edns0 DNS::enable DNS::header DNS::is_wideip
      DNS::last_act DNS::len DNS::log DNS::name DNS::origin DNS::ptype DNS::query DNS::question DNS::rdata DNS::return DNS::rpz_policy
      DNS::rr DNS::rrtype DNS::scrape DNS::tsig DNS::ttl DNS::type
      DOSL7::disable DOSL7::enable DOSL7::health DOSL7::is_ip_slowdown DOSL7::is_mitigated DOSL7::profile DOSL7::slowdown
      ECA::client_machine_name ECA::disable ECA::domainname ECA::enable ECA::flowid ECA::metadata ECA::select ECA::status ECA::username
      FIX::tag FLOW::create_related FLOW::idle_duration FLOW::idle_timeout FLOW::peer FLOW::priority FLOW::refresh FLOW::this
      FTP::allow_active_mode FTP::disable FTP::enable FTP::ftps_mode FTP::port
      GENERICMESSAGE::message GENERICMESSAGE::peer GENERICMESSAGE::route GTP::clone GTP::discard GTP::forward GTP::header GTP::ie
      GTP::length GTP::message GTP::new GTP::parse GTP::payload GTP::respond GTP::tunnel
      ICAP::header ICAP::method ICAP::status ICAP::uri IKE::auth_success IKE::cert IKE::san_dirname IKE::subjectAltName
      IMAP::activation_mode IMAP::disable IMAP::enable IVS_ENTRY::result
      L7CHECK::protocol LDAP::activation_mode LDAP::disable LDAP::enable LSN::address LSN::disable LSN::inbound LSN::inbound-entry
      LSN::persistence LSN::persistence-entry LSN::pool LSN::port LSN::pcp
      MQTT::clean_session MQTT::client_id MQTT::collect MQTT::disable MQTT::disconnect MQTT::drop MQTT::dup MQTT::enable MQTT::insert
      MQTT::keep_alive MQTT::length MQTT::message MQTT::packet_id MQTT::password MQTT::payload MQTT::protocol_name
      MQTT::protocol_version MQTT::qos MQTT::release MQTT::replace MQTT::respond MQTT::retain MQTT::return_code
      MQTT::return_code_list MQTT::session_present MQTT::topic MQTT::type MQTT::username MQTT::will
      MR::always_match_port MR::available_for_routing MR::collect MR::connect_back_port MR::connection_instance
      MR::connection_mode MR::equivalent_transport MR::flow_id MR::ignore_peer_port MR::instance MR::max_retries MR::message
      MR::payload MR::peer MR::prime MR::protocol MR::release MR::restore MR::retry MR::return MR::store MR::stream MR::transport
      NSH::chain NSH::context NSH::mdtype NSH::path_id NSH::service_index NTLM::disable NTLM::enable
      ONECONNECT::detach ONECONNECT::label ONECONNECT::reuse ONECONNECT::select PCP::reject PCP::request PCP::response
      PEM::disable PEM::enable PEM::flow PEM::policy PEM::session PEM::subscriber PLUGIN::disable PLUGIN::enable
      POLICY::controls POLICY::names POLICY::rules POLICY::targets POP3::activation_mode POP3::disable POP3::enable
      PROTOCOL_INSPECTION::disable PROTOCOL_INSPECTION::id PSM::FTP PSM::HTTP PSM::SMTP
      QOE::disable QOE::enable QOE::video RADIUS::avp RADIUS::code RADIUS::id RADIUS::rtdom RADIUS::subscriber
      REST::send ROUTE::age ROUTE::bandwidth ROUTE::clear ROUTE::cwnd ROUTE::domain ROUTE::expiration ROUTE::mtu ROUTE::rtt
      ROUTE::rttvar RTSP::collect RTSP::header RTSP::method RTSP::msg_source RTSP::payload RTSP::release RTSP::respond RTSP::status
      RTSP::uri RTSP::version SIP::call_id SIP::discard SIP::from SIP::header SIP::message SIP::method SIP::payload SIP::persist
      SIP::record-route SIP::respond SIP::response SIP::route SIP::route_status SIP::to SIP::uri SIP::via
      SMTPS::activation_mode SMTPS::disable SMTPS::enable SOCKS::allowed SOCKS::destination SOCKS::version
      SSL::allow_dynamic_record_sizing SSL::allow_nonssl SSL::alpn SSL::authenticate SSL::c3d SSL::cert
      SSL::cert_constraint SSL::clienthello SSL::clientrandom SSL::collect SSL::disable SSL::enable SSL::extensions
      SSL::forward_proxy SSL::handshake SSL::is_renegotiation_secure SSL::maximum_record_size SSL::mode SSL::modssl_sessionid_headers
      SSL::nextproto SSL::payload SSL::profile SSL::release SSL::renegotiate SSL::respond SSL::secure_renegotiation SSL::session
      SSL::sessionid SSL::sessionsecret SSL::sessionticket SSL::sni SSL::tls13_secret SSL::unclean_shutdown SSL::verify_result
      STREAM::disable STREAM::enable STREAM::encoding STREAM::expression STREAM::match STREAM::max_matchsize STREAM::replace
      TAP::action TAP::insight TAP::score TDS::msg TDS::session VALIDATE::protocol VDI::disable VDI::enable
      WAM::disable WAM::enable WEBSSO::disable WEBSSO::enable WEBSSO::select WS::collect WS::disconnect WS::enabled WS::frame
      WS::masking WS::message WS::payload WS::payload_ivs WS::payload_processing WS::release WS::request WS::response
      AAA::acct_result AAA::acct_send AAA::auth_result AAA::auth_send ACL::action ACL::eval AM::age AM::expires AM::media_playlist
      BIGPROTO::enable_fix_reset BIGTCP::release_flow DATAGRAM::dns DATAGRAM::ip DATAGRAM::ip6 DATAGRAM::l2 DATAGRAM::tcp DATAGRAM::udp
      DHCP::version DHCPv4::chaddr DHCPv4::ciaddr DHCPv4::drop DHCPv4::giaddr DHCPv4::hlen DHCPv4::hops DHCPv4::htype DHCPv4::len
      DHCPv4::opcode DHCPv4::option DHCPv4::reject DHCPv4::secs DHCPv4::siaddr DHCPv4::type DHCPv4::xid DHCPv4::yiaddr
      DHCPv6::drop DHCPv6::hop_count DHCPv6::len DHCPv6::link_address DHCPv6::msg_type DHCPv6::option DHCPv6::peer_address
      DHCPv6::reject DHCPv6::transaction_id DSLITE::remote_addr HA::status IPFIX::destination IPFIX::msg IPFIX::template
      ISESSION::deduplication LINE::get LINE::set SIPALG::hairpin SIPALG::hairpin_default
      XLAT::listen XLAT::listen_lifetime XLAT::src_addr XLAT::src_config XLAT::src_endpoint_reservation
      XLAT::src_nat_valid_range XLAT::src_port XML::address XML::collect XML::disable XML::element XML::enable XML::event
      XML::eventid XML::parse XML::release XML::soap XML::subscribe`,
  },
  {
    notIn: LAYER_4,
    names: `
      HTTP::class HTTP::close HTTP::cookie HTTP::fallback HTTP::has_responded HTTP::header
      HTTP::hsts HTTP::is_keepalive HTTP::is_redirect HTTP::payload HTTP::proxy HTTP::reject_reason HTTP::release
      HTTP::request HTTP::request_num HTTP::response HTTP::retry HTTP::version HTTP2::active HTTP2::concurrency
      HTTP2::header HTTP2::push HTTP2::requests HTTP2::stream HTTP2::version
      CACHE::accept_encoding CACHE::age CACHE::disabled CACHE::enable CACHE::expire CACHE::fresh
      CACHE::header CACHE::headers CACHE::hits CACHE::payload CACHE::priority CACHE::statskey CACHE::trace CACHE::uri
      CACHE::useragent CACHE::userkey COMPRESS::buffer_size COMPRESS::gzip
      COMPRESS::method COMPRESS::nodelay DECOMPRESS::disable DECOMPRESS::enable HTML::comment HTML::disable HTML::enable
      HTML::encode HTML::tag REWRITE::disable REWRITE::enable REWRITE::payload REWRITE::post_process ADAPT::allow
      ADAPT::context_create ADAPT::context_current ADAPT::context_delete_all ADAPT::context_name ADAPT::context_static
      ADAPT::enable ADAPT::preview_size ADAPT::result ADAPT::select ADAPT::service_down_action ADAPT::timeout
      ANTIFRAUD::alert_additional_info ANTIFRAUD::alert_details ANTIFRAUD::alert_forbidden_added_element
      ANTIFRAUD::alert_guid ANTIFRAUD::alert_html ANTIFRAUD::alert_http_referrer ANTIFRAUD::alert_id
      ANTIFRAUD::alert_license_id ANTIFRAUD::alert_min ANTIFRAUD::alert_origin ANTIFRAUD::alert_type
      ANTIFRAUD::alert_username ANTIFRAUD::client_id ANTIFRAUD::device_id ANTIFRAUD::disable ANTIFRAUD::enable
      ANTIFRAUD::fingerprint ANTIFRAUD::geo ANTIFRAUD::guid ANTIFRAUD::result ANTIFRAUD::username CATEGORY::analytics
      CATEGORY::filetype CATEGORY::lookup CATEGORY::matchtype CATEGORY::result CATEGORY::safesearch`,
  },
  {
    notIn: `${LAYER_4} ${ANSWERS}`,
    // recorded: HTTP::uri
    names:
      'HTTP::uri HTTP::path HTTP::query HTTP::host HTTP::method HTTP::username HTTP::password HTTP::passthrough_reason',
  },
  { notIn: `${LAYER_4} ${QUESTIONS} SERVER_CONNECTED`, names: 'HTTP::status' }, // recorded
  { notIn: `${LAYER_4} LB_SELECTED SERVER_CONNECTED`, names: 'HTTP::respond HTTP::redirect' }, // recorded: HTTP::respond
  { notIn: `${LAYER_4} SERVER_CONNECTED`, names: 'HTTP::collect' }, // recorded
  { notIn: 'RULE_INIT CLIENT_ACCEPTED CLIENT_DATA SERVER_CONNECTED CLIENT_CLOSED', names: 'SSL::cipher' }, // recorded
];

const refusals = new Map<string, ReadonlySet<string>>();
for (const { notIn, names } of GROUPS) {
  const refused: ReadonlySet<string> = new Set(notIn.split(' '));
  for (const name of names.trim().split(/\s+/)) refusals.set(name, refused);
}

/** Every command of F5 that loads. */
export const f5Commands: readonly string[] = [...refusals.keys()];

export function isF5Command(name: string): boolean {
  return refusals.has(name);
}

export function isValidIn(name: string, event: string): boolean {
  return refusals.get(name)?.has(event) !== true;
}
