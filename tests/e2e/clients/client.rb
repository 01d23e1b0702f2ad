# The generated Ruby client at work: prints an item, two problems and a page of names.
require "items_client"

ItemsClient.configure do |config|
  config.scheme = "http"
  config.host = ARGV[0]
  config.client_side_validation = false
end
api = ItemsClient::ItemsApi.new

def refused
  yield
rescue ItemsClient::ApiError => error
  problem = ItemsClient::Problem.build_from_hash(JSON.parse(error.response_body, symbolize_names: true))
  places = (problem.errors || []).map { |violation| "\n  #{violation.parameter} #{violation.detail}" }
  "#{problem.status} #{problem.title}: #{problem.detail}#{places.join}"
end

item, status, headers = api.create_item_with_http_info(ItemsClient::NewItem.new(name: "Desk lamp"))
puts "create_item: #{status} #{headers["ETag"]} #{item.name}, #{item.description || "no description"}"
puts "update_item: #{api.update_item(item.id, ItemsClient::ItemPatch.new(description: "Brass")).description}"
puts "replace_item: #{refused { api.replace_item(item.id, ItemsClient::NewItem.new(name: "Chair"), if_match: '"1"') }}"
puts "list_items: #{refused { api.list_items(limit: 0) }}"
puts "list_items: #{api.list_items(sort: ItemsClient::ItemSort::NAME_DESCENDING).map(&:name).join(", ")}"
api.delete_item(item.id)
puts "get_item: #{refused { api.get_item(item.id) }}"
