# Runs Active Record's migrations on the scratch database only, whatever database the product names; prints what is applied
# afterwards.

# Ruby prints where an error comes from below what it is.
def loaded(what)
  yield
rescue ScriptError, StandardError => error
  abort "#{what} does not load: #{error.class}: #{error.message.strip}"
end

loaded("Gemfile") { require "bundler/setup" } if File.exist?("Gemfile")
loaded("the library pg") { require "pg" }

# Every connection of the process goes to the scratch database, also one that an initializer opens.
module ToScratch
  HERE = { host: ENV.fetch("PGHOST"), port: ENV.fetch("PGPORT").to_i, user: ENV.fetch("PGUSER"),
           password: ENV["PGPASSWORD"], dbname: ENV.fetch("PGDATABASE"), sslmode: "disable" }.compact
  KEPT = %i[connect_timeout application_name options client_encoding]

  %i[new connect open async_connect sync_connect].each do |name|
    define_method(name) do |*args, **named, &block|
      given = args.first.is_a?(Hash) ? args.first.transform_keys(&:to_sym).merge(named) : named
      super(**given.slice(*KEPT), **HERE, &block)
    end
  end
end
PG::Connection.singleton_class.prepend(ToScratch)

HERE = { "adapter" => "postgresql", "host" => ENV["PGHOST"], "port" => ENV["PGPORT"], "username" => ENV["PGUSER"],
         "password" => ENV["PGPASSWORD"], "database" => ENV["PGDATABASE"] }.freeze

is_rails = File.exist?("config/environment.rb")
if is_rails
  loaded("config/environment.rb") { require File.expand_path("config/environment.rb") }
else
  loaded("Active Record") { require "active_record" }
end
ActiveRecord::Base.establish_connection(HERE)
paths = is_rails ? Rails.application.paths["db/migrate"].to_a : [File.directory?("db/migrate") ? "db/migrate" : "."]
ActiveRecord::Migrator.migrations_paths = paths
ActiveRecord::Migration.verbose = false

# The pool has it from 7.2 on, the connection before.
pool = ActiveRecord::Base.connection_pool
CONTEXT = pool.respond_to?(:migration_context) ? pool.migration_context : ActiveRecord::Base.connection.migration_context
found = ActiveRecord::Base.connection.select_value("select current_database()")
abort "connected to #{found} instead of the scratch database" unless found == ENV["PGDATABASE"]

def report
  done = CONTEXT.get_all_versions
  CONTEXT.migrations.each do |one|
    puts "[#{done.include?(one.version) ? 'X' : ' '}] #{one.version}_#{one.name.underscore}"
  end
end

begin
  version = ARGV[1].to_s[/\A\d+/].to_i
  case ARGV[0]
  when "up" then CONTEXT.run(:up, version)
  when "down" then CONTEXT.run(:down, version)
  when "up-all" then CONTEXT.migrate
  when "down-all" then CONTEXT.migrate(0)
  end
rescue StandardError => error
  root = error
  root = root.cause while root.cause
  abort "#{root.class}: #{root.message.strip}"
end
report
